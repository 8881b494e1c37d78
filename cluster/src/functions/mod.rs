//! The functions of SQL. Each takes a whole record batch, so that the student runs on it at once;
//! null gives null, and what is no vector of the right width is an error that names its row.

mod code;
mod compare;
mod convert;
pub mod embed;
mod vectors;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;

use self::code::Packing;
use crate::students::StudentRef;

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// `lnsp_encode(vector, student [, code])`.
    Encode,
    /// `lnsp_decode(latent or code, student)`.
    Decode,
    /// `lnsp_embed(text)`.
    Embed,
    /// `cosine(a, b)`.
    Cosine,
    /// `lnsp_score(query, code [, student])`.
    Score,
}

const KINDS: [Kind; 5] = [Kind::Encode, Kind::Decode, Kind::Embed, Kind::Cosine, Kind::Score];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Encode => "lnsp_encode",
            Kind::Decode => "lnsp_decode",
            Kind::Embed => "lnsp_embed",
            Kind::Cosine => "cosine",
            Kind::Score => "lnsp_score",
        }
    }

    /// Least and greatest number of arguments.
    fn arguments(self) -> (usize, usize) {
        match self {
            Kind::Embed => (1, 1),
            Kind::Decode | Kind::Cosine => (2, 2),
            Kind::Encode | Kind::Score => (2, 3),
        }
    }

    /// Which argument names the student, of so many.
    fn student(self, arguments: usize) -> Option<usize> {
        match (self, arguments) {
            (Kind::Encode, 2 | 3) | (Kind::Decode, 2) => Some(1),
            (Kind::Score, 3) => Some(2),
            _ => None,
        }
    }
}

/// Which argument of a call is a student's name; none if the function is not ours or takes none.
pub fn student_argument(function: &str, arguments: usize) -> Option<usize> {
    KINDS.iter().find(|kind| kind.name() == function)?.student(arguments)
}

/// Every function, to be registered with an engine.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    KINDS.iter().map(|kind| Arc::new(ScalarUDF::new_from_impl(Function::new(*kind)))).collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    kind: Kind,
    signature: Signature,
}

impl Function {
    fn new(kind: Kind) -> Self {
        let (least, most) = kind.arguments();
        let counts = (least..=most).map(TypeSignature::Any).collect();
        Self { kind, signature: Signature::one_of(counts, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("{}: its type follows from its arguments", self.name())
    }

    /// Refuses arguments of another type while the query is planned.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = self.name();
        let types: Vec<&DataType> = args.arg_fields.iter().map(|f| f.data_type()).collect();
        let text = |at: usize| args.scalar_arguments.get(at).copied().flatten().and_then(text_of);
        let of = match self.kind {
            Kind::Encode => {
                vectors::expect_vectors(name, "the first argument", types[0])?;
                match types.len() {
                    3 => match text(2) {
                        Some(code) => Packing::named(code)?.data_type(),
                        None => return plan_err!("{name}: the code is a text: {}", code::NAMES),
                    },
                    _ => vectors::vector_type(),
                }
            }
            Kind::Decode => {
                code::expect_codes(name, "the first argument", types[0])?;
                vectors::vector_type()
            }
            Kind::Embed => match types[0] {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
                    vectors::vector_type()
                }
                other => return plan_err!("{name}: takes a text, not {other}"),
            },
            Kind::Cosine | Kind::Score => {
                vectors::expect_vectors(name, "the first argument", types[0])?;
                code::expect_codes(name, "the second argument", types[1])?;
                DataType::Float32
            }
        };
        Ok(Arc::new(Field::new(name, of, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = self.name();
        let ScalarFunctionArgs { args, number_rows, .. } = args;
        let student = match self.kind.student(args.len()) {
            Some(at) => Some(text_argument(name, &args[at])?.parse::<StudentRef>()?),
            None => None,
        };
        // What comes from constants alone is computed once.
        let columns: &[usize] = match self.kind {
            Kind::Cosine | Kind::Score => &[0, 1],
            _ => &[0],
        };
        let constant = columns.iter().all(|at| matches!(args[*at], ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { number_rows };
        let column = |at: usize| args[at].to_array(rows);
        let result: ArrayRef = match (self.kind, &student) {
            (Kind::Encode, Some(student)) => {
                let packing = match args.get(2) {
                    Some(code) => Packing::named(text_argument(name, code)?)?,
                    None => Packing::F32,
                };
                convert::encode(&column(0)?, student, packing)?
            }
            (Kind::Decode, Some(student)) => convert::decode(&column(0)?, student)?,
            (Kind::Embed, _) => embed::embed(&column(0)?)?,
            (Kind::Cosine | Kind::Score, student) => {
                compare::score(name, &args[0], &args[1], student.as_ref(), rows)?
            }
            _ => return exec_err!("{name}: takes a student"),
        };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The text of a constant, none if it is something else.
fn text_of(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_deref()
        }
        _ => None,
    }
}

fn text_argument<'a>(function: &str, value: &'a ColumnarValue) -> Result<&'a str> {
    match value {
        ColumnarValue::Scalar(value) if text_of(value).is_some() => {
            Ok(text_of(value).unwrap_or(""))
        }
        // An engine may have spread the constant over the rows.
        ColumnarValue::Array(array)
            if *array.data_type() == DataType::Utf8 && !array.is_empty() =>
        {
            Ok(array.as_string::<i32>().value(0))
        }
        _ => exec_err!("{function}: a student or a code is named by a text"),
    }
}
