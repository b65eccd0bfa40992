//! Aligned columns without boxes: a header, then rows. Widths are counted in
//! characters before anything is coloured.

use super::ink::Ink;
use super::terminal::printable;

/// Between two columns.
const GAP: &str = "  ";

/// What one place of a table shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    ink: Ink,
}

/// Columns that line up.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<&'static str>,
    numeric: Vec<bool>,
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// A text in this ink.
    pub(super) fn inked(text: impl Into<String>, ink: Ink) -> Self {
        let text = printable(&text.into());
        Self { text, ink }
    }

    /// A status, in its ink.
    pub(super) fn status(status: &str) -> Self {
        Self::inked(status, Ink::of_status(status))
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::inked(text, Ink::Plain)
    }
}

impl Table {
    /// A table with these columns; a name that ends in `#` makes a column of
    /// numbers, which line up at their ends.
    pub(super) fn new<const N: usize>(columns: [&'static str; N]) -> Self {
        Self {
            header: columns.map(|name| name.trim_end_matches('#')).to_vec(),
            numeric: columns.map(|name| name.ends_with('#')).to_vec(),
            rows: Vec::new(),
        }
    }

    /// Names and what they stand for, without a header.
    pub(super) fn of_facts() -> Self {
        Self::default()
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// Adds a row that says what `name` is.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Cell>) {
        self.row([Cell::inked(name, Ink::Faint), value.into()]);
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, without a line break at the end.
    pub(super) fn render(&self, colours: bool) -> String {
        let header: Vec<Cell> =
            self.header.iter().map(|name| Cell::inked(*name, Ink::Faint)).collect();
        let has_header = !header.is_empty();
        let rows: Vec<&Vec<Cell>> =
            has_header.then_some(&header).into_iter().chain(&self.rows).collect();
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let texts = rows.iter().filter_map(|row| row.get(column));
            texts.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let lines: Vec<String> = rows.iter().map(|row| self.line(row, &widths, colours)).collect();
        lines.join("\n")
    }

    fn line(&self, row: &[Cell], widths: &[usize], colours: bool) -> String {
        let mut line = String::new();
        // Spaces are only written before a word, so that no line ends in them.
        let mut owed = 0;
        for (column, cell) in row.iter().enumerate() {
            let missing = widths[column] - cell.text.chars().count();
            let numeric = self.numeric.get(column).copied().unwrap_or(false);
            let (before, after) = if numeric { (missing, 0) } else { (0, missing) };
            owed += before;
            if !cell.text.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed));
                line.push_str(&cell.ink.paint(&cell.text, colours));
                owed = 0;
            }
            owed += after + GAP.len();
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["STEP", "STATUS", "TIME#", "WHY"]);
        table.row(["load".into(), Cell::status("succeeded"), "40ms".into(), "".into()]);
        table.row(["per-year".into(), Cell::status("running"), "1.25s".into(), "".into()]);
        table.row(["é".into(), Cell::status("pending"), "".into(), "waits".into()]);
        table
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_spaces() {
        let lines = [
            "STEP      STATUS      TIME  WHY",
            "load      succeeded   40ms",
            "per-year  running    1.25s",
            "é         pending           waits",
        ];
        assert_eq!(table().render(false), lines.join("\n"));
    }

    #[test]
    fn colours_do_not_move_columns() {
        let coloured = table().render(true);
        assert!(coloured.contains("\x1b[32msucceeded\x1b[0m   40ms"), "{coloured:?}");
    }

    #[test]
    fn facts_have_no_header() {
        let mut facts = Table::of_facts();
        facts.fact("run", "report#3");
        facts.fact("status", Cell::status("failed"));
        assert_eq!(facts.render(false), "run     report#3\nstatus  failed");
    }

    #[test]
    fn a_guest_cannot_move_the_cursor() {
        let mut facts = Table::of_facts();
        facts.fact("why", "\x1b[2Jgone\nnext");
        assert_eq!(facts.render(true), "\x1b[2mwhy\x1b[0m  \\u{1b}[2Jgone\\nnext");
    }
}
