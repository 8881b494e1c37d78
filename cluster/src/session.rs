//! One session: plans queries here, and carries them out here or on a cluster.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ballista_core::extension::SessionConfigExt;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::functions;
use crate::remote::{Job, Scheduler};
use crate::stores::Stores;
use crate::students::{Names, StudentRef};
use crate::tables::by_place;

/// Rows of a record batch: of vectors so many stay in a core's own cache, and the engine's usual 8,192
/// are pages that the system gives and takes back for each.
const BATCH_ROWS: usize = 1024;

/// A file of so many bytes is worth cutting into parts: the engine's usual 10 MB of vectors are work for
/// both of two cores.
const WORTH_CUTTING: usize = 1 << 20;

/// Parts of a query on a cluster, where nobody says how many.
const CLUSTER_PARTS: usize = 16;

/// How often the flag of Ctrl-C is looked at.
const OFTEN: Duration = Duration::from_millis(50);

/// What a session is opened with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The students by name.
    pub students: Vec<StudentRef>,
    /// Bytes that the engine may hold for sorting, joining and writing; no limit if nobody says.
    pub memory: Option<usize>,
    /// Parts that a query is cut into: one a core here, 16 on a cluster.
    pub parts: Option<NonZeroUsize>,
    /// A cluster's scheduler, `df://HOST:PORT`.
    pub remote: Option<String>,
    /// Set when the user wants to stop.
    pub cancel: Arc<AtomicBool>,
}

/// A session.
pub struct Session {
    context: SessionContext,
    stores: Arc<Stores>,
    scheduler: Option<Scheduler>,
    job: Mutex<Option<Job>>,
    cancel: Arc<AtomicBool>,
}

/// The stores and the memory of a process.
///
/// # Errors
/// What the engine says.
pub fn runtime(stores: Arc<Stores>, memory: Option<usize>) -> Result<Arc<RuntimeEnv>> {
    let builder = RuntimeEnvBuilder::new().with_object_store_registry(stores);
    let builder = match memory {
        Some(bytes) => {
            let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(bytes));
            builder.with_memory_pool(pool)
        }
        None => builder,
    };
    builder.build_arc()
}

/// The state of a session with our functions: here, in the scheduler and in the executors.
pub fn state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> Result<SessionState> {
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build();
    for function in functions::all() {
        state.register_udf(function)?;
    }
    Ok(state)
}

impl Session {
    /// Opens a session; no machine is asked for anything yet.
    ///
    /// # Errors
    /// An address that is none.
    pub fn open(options: Options) -> Result<Self> {
        let Options { students, memory, parts, remote, cancel } = options;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let config = match &remote {
            Some(_) => SessionConfig::new_with_ballista()
                .with_target_partitions(parts.map_or(CLUSTER_PARTS, NonZeroUsize::get)),
            None => SessionConfig::new()
                .with_target_partitions(parts.map_or(cores, NonZeroUsize::get))
                .with_information_schema(true),
        };
        let config =
            config.with_batch_size(BATCH_ROWS).with_repartition_file_min_size(WORTH_CUTTING);
        let scheduler = remote.as_deref().map(Scheduler::at).transpose()?;
        let stores = Arc::new(Stores::default());
        let mut state = state(config, runtime(Arc::clone(&stores), memory)?)?;
        state.register_function_rewrite(Arc::new(Names(students)))?;
        let context = by_place(SessionContext::new_with_state(state));
        Ok(Self { context, stores, scheduler, job: Mutex::new(None), cancel })
    }

    /// The engine's context, for statements that are not ours.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The stores.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Whether a cluster carries queries out.
    pub fn is_remote(&self) -> bool {
        self.scheduler.is_some()
    }

    /// The operators of a query.
    ///
    /// # Errors
    /// Columns, files or students that there are not.
    pub async fn plan(&self, query: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        self.context.state().create_physical_plan(query).await
    }

    /// Carries a plan out, here or on the cluster.
    ///
    /// # Errors
    /// A cluster that cannot be reached; what an operator reports.
    pub async fn execute(&self, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        let Some(scheduler) = &self.scheduler else {
            return execute_stream(plan, self.context.task_ctx());
        };
        let schema = plan.schema();
        let job = scheduler.submit(plan, self.context.state().config()).await?;
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.clone());
        let results = job.results(schema).await;
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = None;
        results
    }

    /// Ends what runs on the cluster, if anything does.
    pub async fn stop(&self) {
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(job) = job {
            job.cancel().await;
        }
    }

    /// Forgets that the user wanted to stop: the next statement is another one.
    pub fn go_on(&self) {
        self.cancel.store(false, Ordering::SeqCst);
    }

    /// Waits until the user wants to stop.
    pub async fn cancelled(&self) -> DataFusionError {
        while !self.cancel.load(Ordering::SeqCst) {
            tokio::time::sleep(OFTEN).await;
        }
        DataFusionError::External(lnsp::Error::Cancelled.into())
    }
}
