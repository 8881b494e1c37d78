//! `COPY (query) TO 'place' STORED AS PARQUET`, from the statement to the output.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::dml::CopyTo;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::TryStreamExt;
use serde::Serialize;

use super::publish::{File, Target, reported};
use super::write::{WriteExec, WriteSettings};
use crate::progress::Shown;
use crate::session::Session;

/// What a `COPY` has written.
#[derive(Clone, Debug, Serialize)]
pub struct Copied {
    /// Where.
    pub out: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files.
    pub files: Vec<File>,
    /// Time that it took.
    pub seconds: f64,
    /// Rows a second.
    pub rows_per_second: f64,
}

/// Carries out a `COPY`. If it ends early, by an error or by [`Session::cancelled`], nothing is left
/// that could be taken for the output.
///
/// # Errors
/// A format other than Parquet; an output that is there already; what the query reports.
pub async fn copy(session: &Session, copy: &CopyTo, shown: &Shown<'_>) -> Result<Copied> {
    let began = std::time::Instant::now();
    let mut settings = settings(copy)?;
    let input = session.plan(&copy.input).await?;
    let target = Target::new(&copy.output_url, session.stores()).await?;
    settings.folder = target.folder().to_owned();
    let done = tokio::select! {
        done = write(session, input, settings, &target, shown) => done,
        cancelled = session.cancelled() => Err(cancelled),
    };
    match done {
        Ok(files) => {
            let rows = files.iter().map(|f| f.rows).sum();
            let seconds = began.elapsed().as_secs_f64();
            Ok(Copied {
                out: copy.output_url.clone(),
                rows,
                bytes: files.iter().map(|f| f.bytes).sum(),
                files,
                seconds,
                rows_per_second: rows as f64 / seconds.max(1e-9),
            })
        }
        Err(cause) => {
            session.stop().await;
            target.discard().await;
            Err(cause)
        }
    }
}

async fn write(
    session: &Session,
    input: Arc<dyn ExecutionPlan>,
    settings: WriteSettings,
    target: &Target,
    shown: &Shown<'_>,
) -> Result<Vec<File>> {
    let input = match target.single() && input.output_partitioning().partition_count() > 1 {
        true => Arc::new(CoalescePartitionsExec::new(input)),
        false => input,
    };
    let total = StatisticsContext::new().compute(input.as_ref(), &StatisticsArgs::new()).ok();
    let total = total.and_then(|s| s.num_rows.get_value().copied());
    let parts = input.output_partitioning().partition_count();
    let plan = Arc::new(WriteExec::new(input, settings));
    let work = async {
        let stream = session.execute(Arc::clone(&plan) as Arc<dyn ExecutionPlan>).await?;
        stream.try_collect::<Vec<RecordBatch>>().await
    };
    let batches: Vec<RecordBatch> = if session.is_remote() {
        shown.parts(work, target, parts).await?
    } else {
        shown.rows(work, &plan, total.map(|n| n as u64)).await?
    };
    target.publish(reported(&batches)?).await
}

/// What `STORED AS` and `OPTIONS` say.
fn settings(copy: &CopyTo) -> Result<WriteSettings> {
    let format = copy.file_type.get_ext();
    if format != "parquet" {
        return plan_err!("COPY writes Parquet here, not {format}: say STORED AS PARQUET");
    }
    if !copy.partition_by.is_empty() {
        return plan_err!("COPY … PARTITIONED BY is not to be had; write a folder for each WHERE");
    }
    let mut settings = WriteSettings { folder: String::new(), compression: "uncompressed".into() };
    for (name, value) in &copy.options {
        match name.trim_start_matches("format.") {
            "compression" => settings.compression.clone_from(value),
            other => {
                return plan_err!("COPY knows no option {other:?}; there is 'compression'");
            }
        }
    }
    settings.compression()?;
    Ok(settings)
}
