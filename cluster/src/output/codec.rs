//! The operator that writes, as bytes between machines; all other operators go Ballista's way.

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::write::{WriteExec, WriteSettings};

/// What the bytes of our operator start with; no message of Ballista's does.
const MARK: &[u8] = b"lnsp-write\n";

/// Ballista's codec, and ours for what we add.
#[derive(Debug, Default)]
pub struct Codec {
    ballista: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(json) = bytes.strip_prefix(MARK) else {
            return self.ballista.try_decode(bytes, inputs, context, converter);
        };
        let settings: WriteSettings =
            serde_json::from_slice(json).map_err(|e| DataFusionError::External(e.into()))?;
        match inputs {
            [input] => Ok(Arc::new(WriteExec::new(Arc::clone(input), settings))),
            _ => internal_err!("WriteExec has one input, not {}", inputs.len()),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        into: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(write) = node.downcast_ref::<WriteExec>() else {
            return self.ballista.try_encode(node, into, converter);
        };
        into.extend(MARK);
        serde_json::to_writer(into, write.settings())
            .map_err(|e| DataFusionError::External(e.into()))
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.ballista.try_decode_udf(name, bytes)
    }
}
