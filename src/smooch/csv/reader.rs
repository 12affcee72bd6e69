//! The rows of a table, by RFC 4180 to the letter where it is about quotes: read in another way, a quote too many
//! or too few makes one row of several, silently.

use std::io::{self, BufRead};

use csv::{ByteRecord, StringRecord};

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a table of any size row by row. A row ends with CR, LF or both; empty rows are skipped.
pub struct CsvReader<R> {
    input: R,
    /// Bytes of one row at most.
    most: usize,
    /// The line that is being read, from 1.
    line: u64,
    /// The byte before was the CR of an end.
    after_cr: bool,
}

/// A row that was read.
#[derive(Debug, PartialEq)]
pub struct CsvRow {
    /// The line it begins in.
    pub line: u64,
    /// The cells of the row.
    pub cells: StringRecord,
}

/// A row that cannot be used.
#[derive(Debug, PartialEq)]
pub struct RowError {
    /// The line of the file in which it shows.
    pub line: u64,
    /// The cell, from 0, if it is in one.
    pub cell: Option<usize>,
    /// The kind of the error.
    pub wrong: RowErrorKind,
}

/// A fault of a row.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum RowErrorKind {
    /// The file ends within quotes.
    #[error("a quote opens here and is never closed, so that everything from it on is one cell")]
    Open,
    /// Text follows the closing quote of a cell.
    #[error("text follows the quote that closes the one of line {0}; a quote within quotes is written twice")]
    Behind(u64),
    /// A quote in a cell that does not begin with one.
    #[error("a quote stands in a cell without quotes around it; write it twice, and quotes around the cell")]
    Stray,
    /// The row is over the limit.
    #[error("the row is larger than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// The bytes are not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
}

/// The position of the next byte within a cell.
#[derive(Clone, Copy, PartialEq)]
enum CellState {
    Start,
    Plain,
    /// Within the quotes that opened in this line.
    Quoted(u64),
    /// Behind a quote within these: it closes them, or is the first of two.
    Quote(u64),
}

/// The part of a row that is read so far.
struct PartialRow {
    line: u64,
    at: CellState,
    cells: ByteRecord,
    cell: Vec<u8>,
    /// The number of the cell, from 0.
    number: usize,
    bytes: usize,
    /// The first error.
    fault: Option<RowError>,
}

impl PartialRow {
    fn fail(&mut self, line: u64, wrong: RowErrorKind) {
        let cell = Some(self.number);
        self.fault.get_or_insert(RowError { line, cell, wrong });
    }

    fn end_cell(&mut self) {
        self.cells.push_field(&self.cell);
        self.cell.clear();
        self.at = CellState::Start;
    }

    /// Takes a byte that neither ends a cell nor a row.
    fn take(&mut self, byte: u8, line: u64) {
        self.at = match (self.at, byte) {
            (CellState::Start, b'"') => return self.at = CellState::Quoted(line),
            (CellState::Quoted(opened), b'"') => return self.at = CellState::Quote(opened),
            (CellState::Quote(opened), b'"') => CellState::Quoted(opened),
            (CellState::Quote(opened), _) => {
                self.fail(line, RowErrorKind::Behind(opened));
                CellState::Plain
            }
            (CellState::Plain, b'"') => {
                self.fail(line, RowErrorKind::Stray);
                CellState::Plain
            }
            (CellState::Start | CellState::Plain, _) => CellState::Plain,
            (quoted @ CellState::Quoted(_), _) => quoted,
        };
        self.cell.push(byte);
        // Spreadsheets begin a file with a byte order mark, then quotes.
        if self.at == CellState::Plain && (self.line, self.number) == (1, 0) && self.cell == MARK {
            self.cell.clear();
            self.at = CellState::Start;
        }
    }

    fn done(mut self) -> Result<CsvRow, RowError> {
        self.end_cell();
        match self.fault {
            Some(fault) => Err(fault),
            None => match StringRecord::from_byte_record(self.cells) {
                Ok(cells) => Ok(CsvRow { line: self.line, cells }),
                Err(error) => {
                    let cell = Some(error.utf8_error().field());
                    Err(RowError { line: self.line, cell, wrong: RowErrorKind::NotUtf8 })
                }
            },
        }
    }
}

impl<R: BufRead> CsvReader<R> {
    /// Begins with the first line of `input`, where no row may have more than `most` bytes.
    pub fn new(input: R, most: usize) -> Self {
        Self { input, most, line: 1, after_cr: false }
    }

    /// The next row or its error; `None` after the last.
    /// Errors: the input cannot be read.
    pub fn read(&mut self) -> io::Result<Option<Result<CsvRow, RowError>>> {
        let mut row: Option<PartialRow> = None;
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let Some(&byte) = buffer.first() else { break };
            self.input.consume(1);
            let is_end = matches!(byte, b'\n' | b'\r');
            if is_end && row.as_ref().is_none_or(|row| !matches!(row.at, CellState::Quoted(_))) {
                // The LF of a CR ends nothing more.
                if !(byte == b'\n' && self.after_cr) {
                    self.line += 1;
                }
                self.after_cr = byte == b'\r';
                match row {
                    Some(row) => return Ok(Some(row.done())),
                    None => continue,
                }
            }
            self.after_cr = false;
            self.add(row.get_or_insert_with(|| PartialRow::at(self.line)), byte);
        }
        Ok(row.map(|mut row| {
            if let CellState::Quoted(opened) = row.at {
                // The open quote is why the rows below are missing, so it counts before any other error.
                let cell = Some(row.number);
                row.fault = Some(RowError { line: opened, cell, wrong: RowErrorKind::Open });
            }
            row.done()
        }))
    }

    fn add(&mut self, row: &mut PartialRow, byte: u8) {
        row.bytes += 1;
        if row.bytes > self.most {
            // Of the rest only its end is looked for.
            row.fault =
                Some(RowError { line: row.line, cell: None, wrong: RowErrorKind::TooLarge(self.most) });
            row.cell.clear();
        }
        if byte == b',' && !matches!(row.at, CellState::Quoted(_)) {
            if row.bytes > self.most {
                row.at = CellState::Start;
            } else {
                row.end_cell();
            }
            row.number += 1;
        } else {
            row.take(byte, self.line);
        }
        // A CR within quotes is a byte like others; editors count lines by their LF.
        self.line += u64::from(byte == b'\n');
    }
}

impl PartialRow {
    fn at(line: u64) -> Self {
        Self {
            line,
            at: CellState::Start,
            cells: ByteRecord::new(),
            cell: Vec::new(),
            number: 0,
            bytes: 0,
            fault: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    type Told = Result<(u64, Vec<String>), (u64, Option<usize>, String)>;

    /// Parses a text whole and byte by byte, which must agree: the line and cells of each row, or the line, cell and
    /// fault.
    fn read(text: &[u8], most: usize) -> Vec<Told> {
        let in_pieces = |piece: usize| {
            let mut rows = CsvReader::new(BufReader::with_capacity(piece, text), most);
            let mut all = Vec::new();
            while let Some(row) = rows.read().unwrap() {
                let row = row.map(|row| (row.line, row.cells.iter().map(str::to_owned).collect()));
                all.push(row.map_err(|fault| (fault.line, fault.cell, format!("{:?}", fault.wrong))));
            }
            all
        };
        let whole = in_pieces(1 << 16);
        assert_eq!(in_pieces(1), whole);
        whole
    }

    fn row(line: u64, cells: &[&str]) -> Told {
        Ok((line, cells.iter().map(|cell| (*cell).to_owned()).collect()))
    }

    fn wrong(line: u64, cell: usize, why: &str) -> Told {
        Err((line, Some(cell), why.to_owned()))
    }

    #[test]
    fn rows_follow_rfc_4180() {
        let text = b"a,b\r\n\"x\ny\",\"q\"\"q\"\n\n,\r\"\"\n\"a,b\",\" \"\r\n\r\nlast,\"\r\"";
        let expected = [
            row(1, &["a", "b"]),
            row(2, &["x\ny", "q\"q"]),
            row(5, &["", ""]),
            row(6, &[""]),
            row(7, &["a,b", " "]),
            row(9, &["last", "\r"]),
        ];
        assert_eq!(read(text, 100), expected);
        let mut theirs = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        let theirs: Vec<Vec<String>> =
            theirs.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(theirs, expected.map(|row| row.unwrap().1), "as the crate reads it");
        assert_eq!(read(b"\xef\xbb\xbf\"a\",b\n", 100), [row(1, &["a", "b"])]);
        assert_eq!(read(b"", 100), []);
        assert_eq!(read(b"\r\n\n", 100), []);
        assert_eq!(read(b"a,\xff\nb", 100), [wrong(1, 1, "NotUtf8"), row(2, &["b"])]);
    }

    #[test]
    fn a_row_that_is_too_large_costs_no_more_and_the_next_one_is_read() {
        let large = |row| Err((row, None, "TooLarge(8)".to_owned()));
        assert_eq!(
            read(b"12345678\n123456789,\"x\n,\",1\nb", 8),
            [row(1, &["12345678"]), large(2), row(4, &["b"])]
        );
        assert_eq!(read(b"a\n\"123456789,\n\"\n\",,,,,,,,,", 8)[1..], [large(2), wrong(4, 0, "Open")]);
        let mut rows = PartialRow::at(1);
        let mut reader = CsvReader::new(&b""[..], 8);
        (0..1_000).for_each(|_| reader.add(&mut rows, b'x'));
        assert!(rows.cell.capacity() < 100 && rows.cells.is_empty());
    }
}
