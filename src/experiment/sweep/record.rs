//! A run as one line of JSON, and a file of such lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::run::DataId;
use super::space::RunSettings;
use crate::arch::Arch;
use crate::error::{Error, Result};
use crate::experiment::score::{Score, Scored};
use crate::train::TrainConfig;

/// Version of the lines and of what is measured: runs of another one are done again.
pub const FORMAT: u32 = 1;

/// A run with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Follows from settings, data and format alone.
    pub id: String,
    /// The vectors.
    pub data: DataId,
    /// The student.
    pub arch: Arch,
    /// The training.
    pub config: TrainConfig,
    /// On the rows set aside to choose by; `None` if the training diverged.
    pub validation: Option<Score>,
    /// On as many rows that were trained on: far above the other, the student has learned them
    /// by heart.
    pub training: Option<Score>,
    /// On held-out vectors, where every run is scored on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
    /// Why the training diverged, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Mean loss of the last epoch.
    pub final_loss: Option<f64>,
    /// Steps done.
    pub steps: u64,
    /// Time that it took, scoring with it.
    pub seconds: f64,
    /// Where it ran.
    pub device: String,
    /// Version of this library.
    pub version: String,
}

/// The score on held-out vectors, and the overlap@10 of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The score.
    pub score: Score,
    /// A digit a vector: its neighbours kept, 0 to 9, and `a` for all ten.
    overlaps: String,
}

impl HeldOut {
    /// Keeps what was scored.
    pub fn new(scored: &Scored) -> Self {
        let digit = |v: &f32| char::from_digit((10.0 * v).round() as u32, 11).unwrap_or('0');
        Self { score: scored.score, overlaps: scored.overlaps.iter().map(digit).collect() }
    }

    /// overlap@10, one a vector.
    pub fn overlaps(&self) -> Vec<f32> {
        self.overlaps.chars().map(|c| c.to_digit(11).unwrap_or(0) as f32 / 10.0).collect()
    }
}

impl Record {
    /// The identity of a run: 16 hexadecimal digits of its settings, the data and [`FORMAT`].
    pub fn id_of(settings: &RunSettings, data: &DataId) -> String {
        let data = serde_json::to_string(data).expect("numbers and words");
        let text = format!("{FORMAT} {data} {}", settings.key());
        // FNV-1a.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }

    /// What was trained, and how.
    pub fn settings(&self) -> RunSettings {
        RunSettings { arch: self.arch.clone(), config: self.config.clone() }
    }

    /// The validation score, by which runs are chosen; that of a training that diverged is 0.
    pub fn score(&self) -> f64 {
        self.validation.map_or(0.0, |score| score.score)
    }

    /// The record as a line with its line feed.
    pub fn to_line(&self) -> String {
        format!("{}\n", serde_json::to_string(self).expect("numbers and words"))
    }
}

/// The records of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// By identity.
    pub runs: BTreeMap<String, Record>,
    /// Bytes of whole lines; what follows is a line that a kill cut short.
    pub whole_bytes: usize,
    /// Whether the last line is whole and lacks its line feed.
    pub open_end: bool,
}

impl Records {
    /// Reads lines; `name` is for messages. The last line may be torn: it is left out.
    ///
    /// # Errors
    /// [`Error::Format`] for any other line that is no run, and for runs on other data than
    /// `data`, each with the line's number.
    pub fn read(name: &str, bytes: &[u8], data: &DataId) -> Result<Self> {
        let mut all = Self::default();
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        for (i, line) in lines.iter().enumerate() {
            let number = i + 1;
            let ended = line.ends_with(b"\n");
            if !line.trim_ascii().is_empty() {
                match serde_json::from_slice::<Record>(line) {
                    Ok(record) => {
                        all.add(name, number, record, data)?;
                        all.open_end = !ended;
                    }
                    Err(_) if !ended => break,
                    Err(cause) => return Err(no_run(name, number, line, &cause)),
                }
            }
            all.whole_bytes += line.len();
        }
        Ok(all)
    }

    fn add(&mut self, name: &str, line: usize, record: Record, data: &DataId) -> Result<()> {
        let refuse = |message: String| {
            Err(Error::format(
                name,
                format!(
                    "line {line} {message}; choose another file with --out, or remove this one"
                ),
            ))
        };
        if record.format != FORMAT {
            return refuse(format!(
                "has format {}, and this version of lnsp writes {FORMAT}",
                record.format
            ));
        }
        if record.data != *data {
            return refuse(differences(&record.data, data));
        }
        if record.id != Record::id_of(&record.settings(), data) {
            return refuse("has settings that do not belong to its id: somebody changed it".into());
        }
        self.runs.insert(record.id.clone(), record);
        Ok(())
    }
}

fn no_run(name: &str, number: usize, line: &[u8], cause: &serde_json::Error) -> Error {
    let shown: String = String::from_utf8_lossy(line.trim_ascii()).chars().take(40).collect();
    Error::format(
        name,
        format!(
            "line {number} is no run of a sweep ({shown:?}: {cause}); remove the line, or choose \
             another file with --out"
        ),
    )
}

fn differences(there: &DataId, here: &DataId) -> String {
    if there.vectors != here.vectors {
        return format!(
            "is a run on other vectors ({}; these are {})",
            there.vectors, here.vectors
        );
    }
    if there.held_out != here.held_out {
        return "is a run with other held-out vectors".into();
    }
    format!(
        "is a run with --validation-rows {} --validation-seed {}, where this has {} and {}",
        there.validation_rows, there.validation_seed, here.validation_rows, here.validation_seed
    )
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn data() -> DataId {
        DataId {
            vectors: "20x5:abc".into(),
            validation_rows: 11,
            validation_seed: 3,
            held_out: None,
        }
    }

    /// A run at S = `width` and `seed` with the validation score `score`.
    pub fn record(width: usize, alignment: f32, seed: u64, score: f64) -> Record {
        let arch = Arch::family_b(width).unwrap();
        let config = TrainConfig {
            alignment_weight: alignment,
            seed,
            ..TrainConfig::suited_to(&arch, None)
        };
        let part = Score::new(Some(score), Some(score), Some(score));
        Record {
            format: FORMAT,
            id: Record::id_of(&RunSettings { arch: arch.clone(), config: config.clone() }, &data()),
            data: data(),
            arch,
            config,
            validation: Some(part),
            training: Some(part),
            held_out: None,
            failure: None,
            final_loss: Some(0.1),
            steps: 7,
            seconds: 1.5,
            device: "cpu".into(),
            version: "0".into(),
        }
    }

    #[test]
    fn lines_come_back() {
        let runs = [record(256, 0.1, 1, 0.7), record(512, 1e-7, u64::MAX, 1.0 / 3.0)];
        let text: String = runs.iter().map(Record::to_line).collect();
        let read = Records::read("r", text.as_bytes(), &data()).unwrap();
        assert_eq!(read.whole_bytes, text.len());
        assert!(!read.open_end);
        assert_eq!(read.runs.values().cloned().collect::<Vec<_>>().len(), 2);
        for run in &runs {
            assert_eq!(read.runs[&run.id], *run);
        }
        // A line that only lacks its end is whole.
        let open = Records::read("r", text.trim_end().as_bytes(), &data()).unwrap();
        assert_eq!((open.runs.len(), open.open_end), (2, true));
        assert_eq!(open.whole_bytes, text.len() - 1);
        assert!(Records::read("r", b"", &data()).unwrap().runs.is_empty());
    }

    #[test]
    fn other_data_other_formats_and_garbage_are_refused_by_line() {
        let one = record(256, 0.1, 1, 0.7);
        let read = |text: &str, data: &DataId| {
            Records::read("runs.jsonl", text.as_bytes(), data).unwrap_err().to_string()
        };
        let other = DataId { vectors: "20x5:def".into(), ..data() };
        let message = read(&one.to_line(), &other);
        assert!(message.contains("other vectors") && message.contains("line 1"), "{message}");
        let rows = DataId { validation_rows: 12, ..data() };
        assert!(read(&one.to_line(), &rows).contains("--validation-rows 11"));
        let held = DataId { held_out: Some("x".into()), ..data() };
        assert!(read(&one.to_line(), &held).contains("held-out"));
        let message = read(&format!("{}garbage\n", one.to_line()), &data());
        assert!(message.contains("line 2") && message.contains("garbage"), "{message}");
        let message = read(&Record { format: 9, ..one.clone() }.to_line(), &data());
        assert!(message.contains("format 9"), "{message}");
        let mut changed = one;
        changed.config.epochs += 1;
        assert!(read(&changed.to_line(), &data()).contains("somebody changed"));
    }

    #[test]
    fn overlaps_are_kept_in_tenths() {
        let overlaps: Vec<f32> = (0..=10).map(|i| i as f32 / 10.0).collect();
        let scored = Scored { score: Score::new(None, None, None), overlaps: overlaps.clone() };
        let kept = HeldOut::new(&scored);
        assert_eq!(kept.overlaps, "0123456789a");
        assert_eq!(kept.overlaps(), overlaps);
    }

    proptest! {
        /// Cut anywhere, a file gives the lines before the cut and nothing of the torn one.
        #[test]
        fn a_torn_line_is_left_out(cut in 0..2000usize) {
            let runs: Vec<Record> = (0..3).map(|i| record(256, 0.5, i, 0.5)).collect();
            let text: String = runs.iter().map(Record::to_line).collect();
            let cut = cut % (text.len() + 1);
            let read = Records::read("r", &text.as_bytes()[..cut], &data()).unwrap();
            let mut whole = 0;
            for line in text.split_inclusive('\n') {
                if whole + line.len() - 1 > cut {
                    break;
                }
                whole += line.len().min(cut - whole);
            }
            prop_assert_eq!(read.whole_bytes, whole);
            prop_assert_eq!(read.runs.len(), text[..whole].lines().count());
        }

        /// Two settings have one identity exactly if they are the same.
        #[test]
        fn identity(a in 0..3u64, b in 0..3u64, x in 0..3usize, y in 0..3usize) {
            let weights = [0.1, 0.5, 1.0];
            let (one, two) = (record(256, weights[x], a, 0.1), record(256, weights[y], b, 0.9));
            prop_assert_eq!(one.id == two.id, (a, x) == (b, y));
            let other = DataId { validation_seed: 4, ..data() };
            prop_assert_ne!(&Record::id_of(&one.settings(), &other), &one.id);
        }
    }
}
