//! The student's file that comes of a training.

use crate::arch::Precision;
use crate::error::{Error, Result};
use crate::number::count;
use crate::student::{StudentFile, StudentInfo};
use crate::train::{Trainer, latent_code};

impl Trainer {
    /// The student with all that is known of how it came about: `rows` vectors from the set
    /// `name`, of `teacher` if it is known. The same training gives the same file, so nothing in
    /// it depends on the clock.
    ///
    /// # Errors
    /// As [`Trainer::student`].
    pub async fn student_file(
        &self,
        name: &str,
        rows: usize,
        teacher: Option<&str>,
        precision: Precision,
    ) -> Result<StudentFile> {
        let config = self.config();
        let mut info = StudentInfo::new(self.arch());
        info.precision = precision;
        info.teacher = teacher.unwrap_or("unknown").into();
        info.training_set = format!("{name}, {} vectors", count(rows as u64));
        info.init = config.init;
        info.seed = config.seed;
        info.training = config.fields().into_iter().collect();
        let refuse = |e: serde_json::Error| Error::format("student", e.to_string());
        // By way of text, as the settings: its f32 keep their few digits.
        let history = serde_json::to_string(self.history()).map_err(refuse)?;
        info.training.insert("history".into(), serde_json::from_str(&history).map_err(refuse)?);
        let mut metric = |name: &str, value: f64| info.metrics.insert(name.into(), value);
        metric("epoch", f64::from(self.kept_epoch()));
        let overlap = |at: u32| self.history().iter().find(|r| r.epoch == at)?.validation_overlap;
        if let (Some(start), Some(kept)) = (overlap(0), overlap(self.kept_epoch())) {
            metric("start_validation_overlap@10", start);
            metric("validation_overlap@10", kept);
        }
        if let Some(last) = self.history().last().filter(|r| r.epoch > 0) {
            metric("final_loss", f64::from(last.losses.total));
            metric("final_alignment_loss", f64::from(last.losses.alignment));
            metric("final_geometry_loss", f64::from(last.losses.geometry));
        }
        let parameters = self.student().await?;
        let code = match config.latent_bits {
            0 => None,
            bits => Some(latent_code(self.device(), &parameters, bits, self.data()).await?),
        };
        Ok(StudentFile { info, parameters, code })
    }
}
