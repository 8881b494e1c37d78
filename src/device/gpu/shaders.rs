//! The WGSL sources, complete: shared parts included, constants added.

/// How weights are packed, for the shaders that read or write them: the constant `PRECISION`.
const PRECISIONS: [&str; 3] = ["f32", "f16", "int8"];

/// A shader's name, text, and whether there is one for every precision.
type Entry = (&'static str, &'static str, bool);

macro_rules! shader {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../shaders/", $name, ".wgsl")), false)
    };
    ($name:literal, precisions) => {
        ($name, include_str!(concat!("../../../shaders/", $name, ".wgsl")), true)
    };
}

const SHADERS: [Entry; 28] = [
    shader!("activation"),
    shader!("adamw"),
    shader!("add_scaled"),
    shader!("attention"),
    shader!("attention_grad"),
    shader!("code_scores"),
    shader!("column_sum"),
    shader!("cosine_loss"),
    shader!("gather", precisions),
    shader!("gram_loss"),
    shader!("latent_noise"),
    shader!("layer_norm"),
    shader!("layer_norm_grad"),
    shader!("layer_norm_grad_parameters"),
    shader!("linear", precisions),
    shader!("linear_grad_input"),
    shader!("linear_grad_weight"),
    shader!("linear_vector", precisions),
    shader!("mean_pool"),
    shader!("mse_loss"),
    shader!("multiply"),
    shader!("normalize_rows"),
    shader!("normalize_rows_grad"),
    shader!("pack", precisions),
    shader!("residual_norm"),
    shader!("sequence_attention"),
    shader!("squared_norm"),
    shader!("unpack", precisions),
];

const SHARED: [Entry; 7] = [
    shader!("shared/activation"),
    shader!("shared/columns"),
    shader!("shared/grid"),
    shader!("shared/linear"),
    shader!("shared/product_store"),
    shader!("shared/reduce"),
    shader!("shared/tile"),
];

/// Every shader as it reaches the GPU: its name (with the precision where there are several) and
/// its complete WGSL text. Each has one entry point, `main`.
pub fn shader_sources() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, _, precisions) in SHADERS {
        if precisions {
            for (variant, precision) in PRECISIONS.iter().enumerate() {
                all.push((format!("{name} {precision}"), source(name, variant as u32)));
            }
        } else {
            all.push((name.to_string(), source(name, 0)));
        }
    }
    all
}

/// The complete text of one shader; `variant` is the precision where there are several.
///
/// # Panics
/// If there is no such shader: names are literals in the kernels, and a test visits them all.
pub(super) fn source(name: &str, variant: u32) -> String {
    let (_, text, precisions) = find(&SHADERS, name);
    let mut source = String::new();
    for line in text.lines() {
        match line.strip_prefix("//#include ") {
            Some(part) => source.push_str(find(&SHARED, part.trim()).1),
            None => source.push_str(line),
        }
        source.push('\n');
    }
    // WGSL takes declarations in any order; the header stays first.
    if *precisions {
        source.push_str(&format!("const PRECISION: u32 = {variant}u;\n"));
    }
    source
}

fn find<'a>(entries: &'a [Entry], name: &str) -> &'a Entry {
    entries
        .iter()
        .find(|(known, ..)| *known == name)
        .unwrap_or_else(|| panic!("there is no shader {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_are_resolved() {
        let sources = shader_sources();
        assert_eq!(sources.len(), SHADERS.len() + 2 * 5);
        for (name, source) in sources {
            assert!(!source.contains("//#include"), "{name}");
            assert_eq!(source.matches("fn main(").count(), 1, "{name}");
        }
    }
}
