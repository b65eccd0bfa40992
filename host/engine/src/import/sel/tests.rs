//! SEL next to the CEL that it becomes, and next to the value that this gives.
