//! What starts runs of a workflow by itself: signals. Which of them belong
//! together is `join`'s to say; nothing here starts a run.

pub mod join;
pub mod signal;
