//! The last operator of a `COPY`: each partition of its input becomes a Parquet file.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, exec_err, plan_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties, SendableRecordBatchStream,
};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use url::Url;

use super::upload::{Spool, Upload};

/// A row group is closed at about this size, since the writer keeps it in memory.
const GROUP_BYTES: usize = 16 << 20;

/// The metric that counts the rows written so far.
pub const ROWS_WRITTEN: &str = "rows_written";

/// Where and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteSettings {
    /// The folder that files are written to, a URL that ends in `/`.
    pub folder: String,
    /// Compression of their columns, by Parquet's name for it.
    pub compression: String,
}

impl WriteSettings {
    /// The compression.
    ///
    /// # Errors
    /// A name that Parquet does not know.
    pub fn compression(&self) -> Result<Compression> {
        self.compression.to_uppercase().parse().map_err(|e| {
            plan_datafusion_err!(
                "compression {:?}: {e}; take 'uncompressed', 'snappy', 'lz4_raw' or 'zstd(3)'",
                self.compression
            )
        })
    }

    /// Vectors hardly repeat, and nobody looks for one between two others: a dictionary and bounds
    /// would only cost. Of the other columns they help readers.
    fn properties(&self, schema: &Schema) -> Result<WriterProperties> {
        let mut properties = WriterProperties::builder().set_compression(self.compression()?);
        let vectors = schema.fields().iter().filter(|field| {
            field.data_type().is_nested() || matches!(field.data_type(), DataType::Binary)
        });
        for field in vectors {
            // The one column of a list, and that of a binary value.
            for path in [vec![field.name().clone()], list_path(field)] {
                let path = datafusion::parquet::schema::types::ColumnPath::new(path);
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        }
        Ok(properties.build())
    }
}

/// The values of a column of lists, as Parquet has them.
fn list_path(field: &Field) -> Vec<String> {
    let element = match field.data_type() {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            f.name().as_str()
        }
        _ => "item",
    };
    vec![field.name().clone(), "list".into(), element.into()]
}

/// Writes each partition of its input to a file, and gives its name, rows and bytes.
#[derive(Debug)]
pub struct WriteExec {
    input: Arc<dyn ExecutionPlan>,
    settings: WriteSettings,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What each part reports.
fn report_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("file", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
    ]))
}

impl WriteExec {
    /// Of a plan, whose partitions it keeps.
    pub fn new(input: Arc<dyn ExecutionPlan>, settings: WriteSettings) -> Self {
        let parts = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(report_schema()),
            Partitioning::UnknownPartitioning(parts),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            input,
            settings,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Where and how it writes.
    pub fn settings(&self) -> &WriteSettings {
        &self.settings
    }

    /// Rows written so far in this process.
    pub fn rows_written(&self) -> u64 {
        self.metrics.clone_inner().sum_by_name(ROWS_WRITTEN).map_or(0, |sum| sum.as_usize() as u64)
    }
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WriteSettings { folder, compression } = &self.settings;
        write!(f, "WriteExec: folder={folder}, compression={compression}")
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &str {
        "WriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(children.swap_remove(0), self.settings.clone())))
    }

    /// More partitions than the input has would only be smaller files.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let properties = self.settings.properties(&input.schema())?;
        let rows = MetricBuilder::new(&self.metrics).counter(ROWS_WRITTEN, partition);
        let part = Part { folder: self.settings.folder.clone(), properties, context, rows };
        let stream = futures::stream::once(part.write(input)).try_filter_map(|r| async { Ok(r) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(report_schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// One file.
struct Part {
    folder: String,
    properties: WriterProperties,
    context: Arc<TaskContext>,
    rows: Count,
}

impl Part {
    /// Writes all that `input` gives; nothing if it has no rows.
    async fn write(self, mut input: SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
        let url = Url::parse(&self.folder).map_err(|e| DataFusionError::External(e.into()))?;
        let store = self.context.runtime_env().object_store_registry.get_store(&url)?;
        let folder =
            Path::from_url_path(url.path()).map_err(|e| DataFusionError::External(e.into()))?;
        let name = format!("part-{}.parquet", uuid::Uuid::new_v4());
        let path = folder.join(name.as_str());
        let Some(first) = next_with_rows(&mut input).await? else { return Ok(None) };
        expect_wanted(&url)?;
        let mut upload = Upload::new(Arc::clone(&store), path.clone());
        let written = async {
            let (rest, rows) = self.write_rows(&mut upload, first, &mut input).await?;
            expect_wanted(&url)?;
            upload.finish(rest).await?;
            Ok(rows)
        };
        match written.await {
            Ok(rows) => {
                let bytes = store.head(&path).await?.size;
                Ok(Some(report(name, rows, bytes)?))
            }
            Err(cause) => {
                upload.abort().await;
                Err(cause)
            }
        }
    }

    /// Sends all rows but for what is left to be sent at the end; how many they are.
    async fn write_rows(
        &self,
        upload: &mut Upload,
        first: RecordBatch,
        input: &mut SendableRecordBatchStream,
    ) -> Result<(Spool, u64)> {
        let pool = self.context.memory_pool();
        let reservation = MemoryConsumer::new("the row group being written").register(pool);
        let properties = Some(self.properties.clone());
        let mut writer = ArrowWriter::try_new(Spool::default(), input.schema(), properties)?;
        let (mut next, mut rows) = (Some(first), 0);
        while let Some(batch) = next {
            writer.write(&batch)?;
            if writer.in_progress_size() >= GROUP_BYTES {
                writer.flush()?;
            }
            for piece in writer.inner_mut().full() {
                upload.send(piece).await?;
            }
            reservation.try_resize(writer.memory_size())?;
            rows += batch.num_rows() as u64;
            self.rows.add(batch.num_rows());
            drop(batch);
            next = next_with_rows(input).await?;
        }
        Ok((writer.into_inner()?, rows))
    }
}

/// Refuses to write to a folder that is not there any more: the query was given up, and a store on a
/// disk would make the folder again.
fn expect_wanted(folder: &Url) -> Result<()> {
    match folder.to_file_path() {
        Ok(path) if !path.is_dir() => {
            exec_err!(
                "{folder} is not to be seen here: name a folder that all machines share (or the query was given up)"
            )
        }
        _ => Ok(()),
    }
}

async fn next_with_rows(input: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
    while let Some(batch) = input.try_next().await? {
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

fn report(name: String, rows: u64, bytes: u64) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![name])),
        Arc::new(UInt64Array::from(vec![rows])),
        Arc::new(UInt64Array::from(vec![bytes])),
    ];
    Ok(RecordBatch::try_new(report_schema(), columns)?)
}
