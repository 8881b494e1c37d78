//! Ballista's own processes with our functions: the scheduler and the executors.

use std::net::{SocketAddr, TcpListener as Std};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use ballista_core::extension::{SessionConfigExt, ballista_scalar_functions};
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use datafusion::prelude::SessionConfig;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};

use crate::functions::{self, embed};
use crate::output::Codec;
use crate::remote::MESSAGE_BYTES;
use crate::session::{runtime, state};
use crate::shell::bytes;
use crate::stores::Stores;

/// Stack of a thread: plans are walked in depth.
const STACK: usize = 32 << 20;

/// Arguments of `lnsp-scheduler`.
#[derive(Debug, clap::Parser)]
#[command(
    name = "lnsp-scheduler",
    version,
    about = "Cuts queries of `lnsp-sql --remote` into parts and hands them to executors.",
    after_help = "Examples:\n  \
        lnsp-scheduler\n  \
        lnsp-scheduler --host 0.0.0.0 --name scheduler.example.org --port 50050\n\n\
        It speaks without encryption and asks nobody who they are: keep it in a network of your own."
)]
pub struct SchedulerArgs {
    /// Address to listen on; 0.0.0.0 for every one of this machine.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Name or address by which executors reach this machine.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub name: String,
    /// Port; 0 for any that is free. http://HOST:PORT/readyz answers 200 when there are executors.
    #[arg(long, value_name = "PORT", default_value_t = crate::remote::PORT)]
    pub port: u16,
    /// Executors that there must be for /readyz.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub executors: usize,
    /// An executor that is silent for so long is given up, and its parts are done by others.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub executor_timeout: u64,
}

/// Arguments of `lnsp-executor`.
#[derive(Debug, clap::Parser)]
#[command(
    name = "lnsp-executor",
    version,
    about = "Carries out parts of queries that lnsp-scheduler hands out.",
    after_help = "Examples:\n  \
        lnsp-executor --scheduler scheduler.example.org:50050 --host 0.0.0.0 --name worker1.example.org\n  \
        lnsp-executor --cores 4 --memory 8GB\n\n\
        Students are read where the query says, and checked by their sha256. Stores are reached with \
        this process's own AWS_… variables."
)]
pub struct ExecutorArgs {
    /// The scheduler.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:50050")]
    pub scheduler: String,
    /// Address to listen on; 0.0.0.0 for every one of this machine.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Name or address by which the others reach this machine [default: the address].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Port for results; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Port for orders of the scheduler; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub order_port: u16,
    /// Parts at a time [default: one a core].
    #[arg(long, value_name = "N")]
    pub cores: Option<usize>,
    /// Memory of the engine, such as 8GB, shared between the parts [default: 70 % of the machine's].
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<usize>,
    /// Folder for what lies between the stages of a query [default: a temporary one].
    #[arg(long, value_name = "FOLDER")]
    pub work_dir: Option<PathBuf>,
    /// Teacher of lnsp_embed [default: from the cache or the hub, as in `lnsp embed`].
    #[arg(long, value_name = "PATH")]
    pub teacher: Option<PathBuf>,
    /// Seconds between two signs of life.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub heartbeat: u64,
}

/// Runs `f` on an engine's threads, with what it logs on standard error (`RUST_LOG`, else warnings).
///
/// # Errors
/// What `f` reports.
pub fn run<T>(f: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // A second call, as in tests, keeps the first logger.
    let _ = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error"))
        .try_init();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().thread_stack_size(STACK).build()?.block_on(f)
}

fn config() -> SessionConfig {
    SessionConfig::new_with_ballista()
}

/// Runs a scheduler until it is stopped. It says on standard output where it listens.
///
/// # Errors
/// An address that is taken or none of this machine.
pub async fn scheduler(args: SchedulerArgs) -> anyhow::Result<()> {
    let address = format!("{}:{}", args.host, args.port);
    let listener = tokio::net::TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let bound = listener.local_addr()?;
    let config = SchedulerConfig {
        external_host: args.name,
        bind_host: args.host,
        bind_port: bound.port(),
        executor_timeout_seconds: args.executor_timeout,
        expire_dead_executor_interval_seconds: (args.executor_timeout / 4).max(1),
        no_executors_grace_period_seconds: args.executor_timeout,
        min_ready_executors: args.executors,
        grpc_server_max_decoding_message_size: MESSAGE_BYTES as u32,
        grpc_server_max_encoding_message_size: MESSAGE_BYTES as u32,
        grpc_client_max_message_size: MESSAGE_BYTES as u32,
        override_config_producer: Some(Arc::new(config)),
        override_session_builder: Some(Arc::new(|config| {
            state(config, runtime(Arc::new(Stores::default()), None)?)
        })),
        override_physical_codec: Some(Arc::new(Codec::default())),
        ..SchedulerConfig::default()
    };
    config.validate()?;
    let cluster = BallistaCluster::new_from_config(&config).await?;
    let scheduler =
        create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config)).await?;
    println!("lnsp-scheduler listens on {bound}");
    Ok(start_grpc_service_with_listener(listener, scheduler).await?)
}

/// Ballista's functions and ours.
fn registry() -> BallistaFunctionRegistry {
    let mut registry = BallistaFunctionRegistry::default();
    for function in ballista_scalar_functions().into_iter().chain(functions::all()) {
        registry.scalar_functions.insert(function.name().to_owned(), function);
    }
    registry
}

/// A port that is free now: the executor opens it itself, and wants to know its number before.
fn port(host: &str, wanted: u16) -> anyhow::Result<u16> {
    let listener =
        Std::bind((host, wanted)).with_context(|| format!("cannot listen on {host}:{wanted}"))?;
    Ok(listener.local_addr()?.port())
}

/// Runs an executor until it is stopped.
///
/// # Errors
/// A scheduler that does not answer; ports that are taken.
pub async fn executor(args: ExecutorArgs) -> anyhow::Result<()> {
    if let Some(teacher) = args.teacher {
        embed::use_teacher(teacher);
    }
    let (host, at) = args
        .scheduler
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.to_owned(), port.parse::<u16>().ok()?)))
        .with_context(|| format!("--scheduler {:?}: HOST:PORT is wanted", args.scheduler))?;
    // Gone with the process.
    let temporary = tempfile::Builder::new().prefix("lnsp-executor-").tempdir()?;
    let work_dir = args.work_dir.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&work_dir)
        .with_context(|| format!("--work-dir {}", work_dir.display()))?;
    let stores = Arc::new(Stores::default());
    let (port, grpc_port) = (port(&args.host, args.port)?, port(&args.host, args.order_port)?);
    let config = ExecutorProcessConfig {
        external_host: Some(args.name.unwrap_or_else(|| args.host.clone())),
        bind_host: args.host,
        port,
        grpc_port,
        scheduler_host: host,
        scheduler_port: at,
        scheduler_connect_timeout_seconds: 30,
        vcores: args.cores.unwrap_or(0),
        work_dir: Some(work_dir.display().to_string()),
        grpc_max_decoding_message_size: MESSAGE_BYTES as u32,
        grpc_max_encoding_message_size: MESSAGE_BYTES as u32,
        executor_heartbeat_interval_seconds: args.heartbeat,
        memory_pool_size: args.memory.map(|bytes| bytes as u64),
        override_function_registry: Some(Arc::new(registry())),
        override_config_producer: Some(Arc::new(self::config)),
        override_runtime_producer: Some(Arc::new(move |_| runtime(Arc::clone(&stores), None))),
        override_physical_codec: Some(Arc::new(Codec::default())),
        ..ExecutorProcessConfig::default()
    };
    let address = SocketAddr::new(config.bind_host.parse()?, port);
    println!("lnsp-executor gives results on {address}");
    start_executor_process(Arc::new(config))
        .await
        .with_context(|| format!("the executor of the scheduler at {}", args.scheduler))
}
