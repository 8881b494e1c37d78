//! Queries on a cluster: a plan goes to Ballista's scheduler, its results come from the executors.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::client::BallistaClient;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CancelJobParams, ExecuteQueryParams, GetJobStatusParams, KeyValuePair, PartitionLocation,
    execute_query_result, job_status,
};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::SessionConfig;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::{StreamExt, TryStreamExt};
use tonic::transport::Channel;
use url::Url;

use crate::output::Codec;

/// The port of a scheduler of which nothing is said.
pub const PORT: u16 = 50050;

/// The largest message: plans of many files are long.
pub const MESSAGE_BYTES: usize = 64 << 20;

/// How often the scheduler is asked how a job goes.
const OFTEN: Duration = Duration::from_millis(100);

/// Where a scheduler is.
#[derive(Clone, Debug)]
pub struct Scheduler {
    url: String,
}

/// A job on a cluster.
#[derive(Clone, Debug)]
pub struct Job {
    id: String,
    client: SchedulerGrpcClient<Channel>,
    url: String,
}

impl Scheduler {
    /// The scheduler at `df://HOST:PORT`.
    ///
    /// # Errors
    /// An address of another form.
    pub fn at(address: &str) -> Result<Self> {
        let url = Url::parse(address).ok().filter(|url| url.scheme() == "df");
        match url.as_ref().and_then(Url::host_str) {
            Some(host) => {
                let port = url.as_ref().and_then(Url::port).unwrap_or(PORT);
                Ok(Self { url: format!("http://{host}:{port}") })
            }
            None => plan_err!(
                "--remote {address:?}: an address such as df://localhost:{PORT} is wanted"
            ),
        }
    }

    async fn connect(&self, config: &SessionConfig) -> Result<SchedulerGrpcClient<Channel>> {
        let settings = GrpcClientConfig::from(&config.ballista_config());
        let unreachable = |e: &dyn std::fmt::Display| {
            exec_datafusion_err!(
                "no scheduler answers at {} ({e}); is lnsp-scheduler running there?",
                self.url
            )
        };
        let endpoint = create_grpc_client_endpoint(self.url.clone(), Some(&settings))
            .map_err(|e| unreachable(&e))?;
        let channel = endpoint.connect().await.map_err(|e| unreachable(&deepest(&e)))?;
        Ok(SchedulerGrpcClient::new(channel)
            .max_encoding_message_size(MESSAGE_BYTES)
            .max_decoding_message_size(MESSAGE_BYTES))
    }

    /// Hands a plan over.
    ///
    /// # Errors
    /// A scheduler that cannot be reached, is of another version, or refuses.
    pub async fn submit(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &SessionConfig,
    ) -> Result<Job> {
        let message = PhysicalPlanNode::try_from_physical_plan(plan, &Codec::default())?;
        let mut bytes = Vec::new();
        message.try_encode(&mut bytes)?;
        let settings = config.options().entries().into_iter();
        let mut request = tonic::Request::new(ExecuteQueryParams {
            query: Some(Query::PhysicalPlan(bytes)),
            settings: settings.map(|e| KeyValuePair { key: e.key, value: e.value }).collect(),
            session_id: uuid::Uuid::new_v4().to_string(),
            operation_id: uuid::Uuid::new_v4().to_string(),
        });
        version::insert_version_header(request.metadata_mut());
        let mut client = self.connect(config).await?;
        let answer = client.execute_query(request).await.map_err(|e| self.refused(&e))?;
        match answer.into_inner().result {
            Some(execute_query_result::Result::Success(job)) => {
                Ok(Job { id: job.job_id, client, url: self.url.clone() })
            }
            Some(execute_query_result::Result::Failure(why)) => {
                exec_err!("the scheduler at {} refuses the query: {why:?}", self.url)
            }
            None => exec_err!("the scheduler at {} gave an empty answer", self.url),
        }
    }

    fn refused(&self, status: &tonic::Status) -> DataFusionError {
        exec_datafusion_err!(
            "the scheduler at {} refuses the query: {}",
            self.url,
            status.message()
        )
    }
}

/// The cause behind an error of the network, whose own words say only that there was one.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl Job {
    /// Waits until the job is done, and gives its results.
    ///
    /// # Errors
    /// What a task reports; a scheduler that is gone, or has started anew and knows nothing of it; an
    /// executor that is gone with its results.
    pub async fn results(mut self, schema: SchemaRef) -> Result<SendableRecordBatchStream> {
        let places = self.wait().await?;
        let streams = futures::stream::iter(places).then(fetch).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, streams)))
    }

    async fn wait(&mut self) -> Result<Vec<PartitionLocation>> {
        let mut seen = false;
        loop {
            let params = GetJobStatusParams { job_id: self.id.clone() };
            let answer = self.client.get_job_status(params).await.map_err(|e| {
                exec_datafusion_err!(
                    "the scheduler at {} is gone and the query with it ({}); nothing of it is kept: run \
                     it again",
                    self.url,
                    e.message()
                )
            })?;
            let status = answer.into_inner().status.and_then(|s| s.status);
            seen |= status.is_some();
            match status {
                Some(job_status::Status::Successful(job)) => return Ok(job.partition_location),
                Some(job_status::Status::Failed(job)) => {
                    return exec_err!("on the cluster: {}", plain(&job.error));
                }
                None if seen => {
                    return exec_err!(
                        "the scheduler at {} has started anew and knows nothing of the query; nothing of \
                         it is kept: run it again",
                        self.url
                    );
                }
                _ => tokio::time::sleep(OFTEN).await,
            }
        }
    }

    /// Tells the cluster to stop; if it cannot be told, its work ends by itself and is kept by nobody.
    pub async fn cancel(mut self) {
        let _ = self.client.cancel_job(CancelJobParams { job_id: self.id.clone() }).await;
    }
}

/// The results of one part.
async fn fetch(place: PartitionLocation) -> Result<SendableRecordBatchStream> {
    let layout = place.layout();
    let (Some(executor), Some(id)) = (place.executor_meta, place.partition_id) else {
        return exec_err!("the scheduler does not say where results are");
    };
    let (host, port) = (executor.host, executor.port as u16);
    let gone = |e: ballista_core::error::BallistaError| {
        exec_datafusion_err!(
            "the executor at {host}:{port} is gone with its results ({e}); nothing of the query is kept: \
             run it again"
        )
    };
    let mut client = BallistaClient::try_new(&host, port, MESSAGE_BYTES, false, None, 3, 200, 0, 0)
        .await
        .map_err(gone)?;
    client
        .fetch_partition(&executor.id, &id.into(), place.file_id, layout, true)
        .await
        .map_err(gone)
}

/// The words of an error without the names of types around them.
fn plain(text: &str) -> String {
    // An error of a function or an operator of ours, as its fields come here.
    if let Some((_, rest)) = text.rsplit_once("Execution(\"")
        && let Some((words, _)) = rest.rsplit_once("\")")
    {
        return words.replace("\\\"", "\"").replace("\\\\", "\\");
    }
    let mut text = text.trim().to_owned();
    for wrapper in
        ["DataFusionError(", "DataFusion error: ", "Execution error: ", "External error: "]
    {
        text = text.replace(wrapper, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_errors_from_afar() {
        let far = r#"Job failed: Shared(Execution("no \"f8\" at C:\\x (y)")))"#;
        assert_eq!(plain(far), r#"no "f8" at C:\x (y)"#);
        assert_eq!(plain("DataFusion error: Execution error: none"), "none");
    }

    #[test]
    fn addresses() {
        assert_eq!(Scheduler::at("df://localhost:1234").unwrap().url, "http://localhost:1234");
        assert_eq!(Scheduler::at("df://10.0.0.1").unwrap().url, "http://10.0.0.1:50050");
        for wrong in ["localhost:50050", "http://localhost", "df://", "x"] {
            let error = Scheduler::at(wrong).unwrap_err().to_string();
            assert!(error.contains("df://localhost:50050"), "{error}");
        }
    }
}
