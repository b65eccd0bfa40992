//! Following a run to its end: a line for what happens and, on a terminal, one
//! that is drawn over. A server that goes away is waited for: the run goes on
//! when it is back.

use super::bar;
use super::board::{Board, Line};
use super::stream::{Happening, Stream};
use crate::cli::answer::{self, Run};
use crate::cli::client::{Client, Error};
use crate::cli::ink::Ink;
use crate::cli::measure::{Stopwatch, duration, time_of_day, unix_ms};
use crate::cli::route::Route;
use crate::cli::terminal::{Target, Terminal, printable};
use anyhow::Result;
use serde_json::value::RawValue;
use std::io::BufReader;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

/// How often the drawn line is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// How long to wait between two tries to reach a server that has gone, and how
/// often to try.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES: u32 = 120;

/// Happenings that wait to be shown.
const WAITING_MAX: usize = 1_000;

/// How happenings are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lines {
    /// For people.
    Text(Target),
    /// For programs, on standard output.
    Json,
}

/// What the reader of the stream says.
enum Message {
    Happened(Box<(Happening, String)>),
    Lost(String),
    Failed(Error),
}

/// Shows what happens in a run, and gives the run when it is over.
pub(super) fn to_the_end(
    run: &str,
    lines: Lines,
    client: &Client,
    terminal: &Terminal,
) -> Result<Box<RawValue>> {
    let route = Route::to(["runs", run]);
    let first: Run = answer::read(&client.get(&route)?)?;
    let mut view = View::new(&first, lines, *terminal);
    view.head(&first)?;
    let (sender, messages) = mpsc::sync_channel(WAITING_MAX);
    let events = Route::to(["runs", &first.run, "events"]);
    let reader = client.clone();
    // It ends with the run, or with this process.
    thread::spawn(move || read(&reader, &events, &sender));
    loop {
        match messages.recv_timeout(FRAME) {
            Ok(Message::Happened(event)) => view.show(&event.0, &event.1)?,
            Ok(Message::Lost(why)) => view.lost(&why)?,
            Ok(Message::Failed(error)) => {
                view.clear()?;
                return Err(error.into());
            }
            Err(RecvTimeoutError::Timeout) => view.draw()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    view.clear()?;
    Ok(client.get(&route)?)
}

/// Reads the run's stream to its end. After a loss it is read from the start
/// and what was seen is skipped: a stream can break between two events that
/// have one identifier.
fn read(client: &Client, route: &Route, sender: &SyncSender<Message>) {
    let mut seen = 0;
    let mut tries = TRIES;
    loop {
        let before = seen;
        let why = match client.stream(route) {
            Ok(body) => match pass_on(Stream::new(BufReader::new(body)), &mut seen, sender) {
                Passed::Over => return,
                Passed::Broken(why) => why,
            },
            Err(error @ (Error::Problem(_) | Error::Foreign { .. })) => {
                let _ = sender.send(Message::Failed(error));
                return;
            }
            Err(error) if tries == 0 => {
                let _ = sender.send(Message::Failed(error));
                return;
            }
            Err(error) => error.to_string(),
        };
        // A server that is back at once has not been missed.
        let is_gone = seen == before;
        tries = if is_gone { tries.saturating_sub(1) } else { TRIES };
        if is_gone && sender.send(Message::Lost(why)).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// How a stream ended.
enum Passed {
    Over,
    Broken(String),
}

fn pass_on<R: std::io::BufRead>(
    stream: Stream<R>,
    seen: &mut usize,
    sender: &SyncSender<Message>,
) -> Passed {
    let mut recorded = 0;
    let mut is_over = false;
    for event in stream {
        let event = match event {
            Ok(event) => event,
            Err(_) if is_over => return Passed::Over,
            Err(error) => return Passed::Broken(error.to_string()),
        };
        // A run that is over may have been retried since.
        is_over = event.0.is_last() || (is_over && event.0.kind != "run_retried");
        recorded += usize::from(event.0.is_recorded());
        if event.0.is_recorded() && recorded <= *seen {
            continue;
        }
        *seen = recorded.max(*seen);
        // Whoever listened has gone.
        if sender.send(Message::Happened(Box::new(event))).is_err() {
            return Passed::Over;
        }
    }
    match is_over {
        true => Passed::Over,
        false => Passed::Broken("the server has ended the stream".to_owned()),
    }
}

/// What is on the screen.
struct View {
    terminal: Terminal,
    lines: Lines,
    target: Target,
    /// Whether there is a line that is drawn over.
    live: bool,
    board: Board,
    width: usize,
    /// What time it was at the server when the stopwatch was started.
    began_ms: u64,
    since: Stopwatch,
    drawn: Option<Stopwatch>,
    is_lost: bool,
}

impl View {
    fn new(run: &Run, lines: Lines, terminal: Terminal) -> Self {
        let (target, live) = match lines {
            Lines::Text(target) => (target, terminal.looks(target).live),
            Lines::Json => (Target::Out, false),
        };
        let steps = run.steps.iter().map(|step| step.step.chars().count());
        let start = run.started_at.as_deref().unwrap_or(&run.created_at);
        Self {
            terminal,
            lines,
            target,
            board: Board::new(!live),
            live,
            width: steps.max().unwrap_or(0).max("run".len()),
            began_ms: unix_ms(start).unwrap_or(0) + run.duration_ms,
            since: Stopwatch::start(),
            drawn: None,
            is_lost: false,
        }
    }

    fn head(&self, run: &Run) -> Result<()> {
        if matches!(self.lines, Lines::Json) {
            return Ok(());
        }
        let colours = self.terminal.looks(self.target).colours;
        let about = format!("{}  version {}", run.run, run.version);
        let name = Ink::Strong.paint(&printable(&run.name()), colours);
        let head = format!("{name}  {}\n", Ink::Faint.paint(about.trim_start(), colours));
        self.terminal.write(self.target, &head)
    }

    fn show(&mut self, event: &Happening, data: &str) -> Result<()> {
        self.is_lost = false;
        if matches!(self.lines, Lines::Json) {
            return self.terminal.print(data);
        }
        match self.board.note(event) {
            Some(line) => {
                let line = self.text(&line);
                self.over(&format!("{line}\n"))
            }
            // Hundreds of iterations may end within one frame.
            None if self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME) => Ok(()),
            None => self.draw(),
        }
    }

    fn text(&self, line: &Line) -> String {
        let Line { at, who, what, ink, took_ms, more } = line;
        let (colours, width) = (self.terminal.looks(self.target).colours, self.width);
        let time = Ink::Faint.paint(&format!("{:12}", time_of_day(at)), colours);
        let what = ink.paint(&format!("{what:11}"), colours);
        let took = took_ms.map(duration).unwrap_or_default();
        let text = format!("{time}  {:width$}  {what} {took:>7}  ", printable(who));
        (text + &printable(more)).trim_end().to_owned()
    }

    /// Says once that the server has gone.
    fn lost(&mut self, why: &str) -> Result<()> {
        if self.is_lost {
            return self.draw();
        }
        self.is_lost = true;
        self.clear()?;
        self.terminal.note(&format!("the server has gone ({why}); trying again"));
        Ok(())
    }

    /// Draws over the line, or writes above it.
    fn over(&mut self, above: &str) -> Result<()> {
        if !self.live {
            return self.terminal.write(self.target, above);
        }
        let now_ms = self.began_ms + self.since.elapsed_ms();
        let line = bar::text(&self.board, now_ms, self.terminal.looks(self.target).colours);
        self.drawn = Some(Stopwatch::start());
        // Without automatic wrapping the terminal cuts the line at its edge.
        let line = format!("\r\x1b[2K{above}\x1b[?7l{line}\x1b[?7h");
        self.terminal.write(self.target, &line)
    }

    fn draw(&mut self) -> Result<()> {
        match self.live {
            true => self.over(""),
            false => Ok(()),
        }
    }

    fn clear(&mut self) -> Result<()> {
        match self.drawn.take() {
            Some(_) => self.terminal.write(self.target, "\r\x1b[2K"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, step: &str) -> String {
        format!("data: {{\"type\":\"{kind}\",\"step\":\"{step}\"}}\n\n")
    }

    #[test]
    fn a_stream_that_breaks_is_taken_up_where_it_broke() {
        let (sender, receiver) = mpsc::sync_channel(100);
        let mut seen = 0;
        let start =
            event("step_started", "a") + &event("progress", "a") + &event("step_started", "b");
        let end = event("step_succeeded", "a") + &event("run_succeeded", "");
        let mut read = |text: String| pass_on(Stream::new(text.as_bytes()), &mut seen, &sender);
        assert!(matches!(read(start.clone() + "data: {\"ty"), Passed::Broken(_)));
        assert!(matches!(read(start + &end), Passed::Over));
        drop(sender);
        let told = receiver.iter().filter_map(|message| match message {
            Message::Happened(event) if event.0.is_recorded() => Some(event.0.kind + &event.0.step),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told, ["step_starteda", "step_startedb", "step_succeededa", "run_succeeded"]);
    }
}
