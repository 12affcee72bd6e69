//! Reads files to be imported in chunks of bounded size.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use async_channel::Sender;

use crate::cli::export::Format;
pub(super) use crate::cli::replay::payloads::PayloadLocation;
use crate::cli::replay::payloads::{self, PayloadSource};
use crate::http::PIECE;
use crate::smooch::csv::{CsvHeader, CsvReader, RowError};
use crate::store::explain;

const LINES: usize = 512;
/// A chunk of this many bytes takes no further line.
const BYTES: usize = 1 << 20;

#[derive(Default)]
pub(super) struct LineChunk {
    /// The lines, each with its end.
    pub(super) lines: Vec<u8>,
    pub(super) places: Vec<PayloadLocation>,
    /// Invalid lines, each with the reason.
    pub(super) wrong: Vec<(PayloadLocation, String)>,
}

/// The approximate number of lines, headers included; `None` for pipes. Reads the files.
pub(super) fn count(files: &[PathBuf]) -> Option<u64> {
    payloads::count(&files.iter().map(|file| source(file)).collect::<Vec<_>>())
}

fn source(file: &Path) -> PayloadSource {
    if file.as_os_str() == "-" { PayloadSource::Stdin } else { PayloadSource::Lines(file.to_owned()) }
}

/// Reads all files and sends them in chunks. Blocks while enough are read ahead; ends early if the receiver is
/// dropped.
pub(super) fn read(files: &[PathBuf], format: Option<Format>, to: &Sender<LineChunk>) {
    let mut filler = ChunkFiller { piece: LineChunk::default(), to };
    for file in files {
        let named = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        match format.unwrap_or(if named { Format::Csv } else { Format::Ndjson }) {
            Format::Ndjson => payloads::read(&source(file), &mut |place, line| {
                filler.add(place, line.map_err(|why| why.to_string()));
            }),
            Format::Csv => table(file, &mut filler),
        }
    }
    filler.hand_over();
}

struct ChunkFiller<'t> {
    piece: LineChunk,
    to: &'t Sender<LineChunk>,
}

impl ChunkFiller<'_> {
    fn add(&mut self, place: PayloadLocation, line: Result<Vec<u8>, String>) {
        match line {
            Ok(line) => {
                // The service rejects larger bodies.
                if self.piece.lines.len() + line.len() >= PIECE {
                    self.hand_over();
                }
                if line.len() >= PIECE {
                    return self.piece.wrong.push((place, format!("larger than {} MiB", PIECE >> 20)));
                }
                self.piece.lines.extend(line);
                self.piece.lines.push(b'\n');
                self.piece.places.push(place);
            }
            Err(why) => self.piece.wrong.push((place, why)),
        }
        let full = self.piece.places.len() + self.piece.wrong.len() >= LINES;
        if full || self.piece.lines.len() >= BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        if !piece.places.is_empty() || !piece.wrong.is_empty() {
            // The receiver reports why it stopped.
            let _ = self.to.send_blocking(piece);
        }
    }
}

fn table(file: &Path, filler: &mut ChunkFiller<'_>) {
    let stdin = file.as_os_str() == "-";
    let name = if stdin { "stdin".to_owned() } else { file.display().to_string() };
    let place = |line| PayloadLocation { file: name.as_str().into(), line };
    let unreadable = |error| (place(None), Err(format!("cannot be read: {}", explain(&error))));
    let input: Box<dyn Read> = match if stdin { Ok(None) } else { File::open(file).map(Some) } {
        Ok(Some(file)) => Box::new(file),
        Ok(None) => Box::new(io::stdin().lock()),
        Err(error) => {
            let (place, why) = unreadable(error);
            return filler.add(place, why);
        }
    };
    let mut rows = CsvReader::new(BufReader::new(input), PIECE);
    let mut header: Option<CsvHeader> = None;
    loop {
        let (line, told) = match (rows.read(), &header) {
            (Err(error), _) => {
                let (place, why) = unreadable(error);
                return filler.add(place, why);
            }
            (Ok(None), _) => return,
            (Ok(Some(Err(fault))), header) => (fault.line, Err(explained(&fault, header.as_ref()))),
            (Ok(Some(Ok(row))), Some(header)) => {
                (row.line, header.line(&row.cells).map_err(|problem| problem.to_string()))
            }
            (Ok(Some(Ok(row))), None) => match CsvHeader::read(&row.cells) {
                Ok(read) => {
                    header = Some(read);
                    continue;
                }
                Err(problem) => (row.line, Err(problem.to_string())),
            },
        };
        filler.add(place(Some(line)), told.map(String::into_bytes));
        if header.is_none() {
            // Rows cannot be read without a header.
            return;
        }
    }
}

fn explained(fault: &RowError, header: Option<&CsvHeader>) -> String {
    let Some(cell) = fault.cell else { return fault.wrong.to_string() };
    match header.and_then(|header| header.name(cell)) {
        Some(name) => format!("{name}: {}", fault.wrong),
        None => format!("column {}: {}", cell + 1, fault.wrong),
    }
}
