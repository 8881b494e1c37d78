//! The chain of linear layers in a state dict: their order by name, their widths by shape.

use std::collections::BTreeMap;

use crate::arch::Arch;

/// What the linear layers of a state dict say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layers {
    names: Vec<String>,
    /// Every width, input first.
    pub(super) widths: Vec<usize>,
    /// Whether matrices are stored as `in × out`.
    pub(super) transposed: bool,
}

/// A matrix as it is stored, beside the length of its bias.
struct Stored<'a> {
    name: &'a str,
    shape: [usize; 2],
    outputs: usize,
}

impl Layers {
    /// Reads them from the shapes of all tensors by name, without prefix.
    ///
    /// # Errors
    /// What is missing, or does not fit its neighbours.
    pub(super) fn read(shapes: &BTreeMap<String, Vec<usize>>) -> Result<Self, String> {
        let names = order(shapes)?;
        let stored =
            names.iter().map(|name| stored(shapes, name)).collect::<Result<Vec<_>, String>>()?;
        let transposed = orientation(&stored)?;
        let inputs = |layer: &Stored<'_>| layer.shape[if transposed { 0 } else { 1 }];
        let mut widths = vec![inputs(&stored[0])];
        for layer in &stored {
            let before = widths[widths.len() - 1];
            if inputs(layer) != before {
                return Err(format!(
                    "{}.weight has shape {:?} and takes {} values, but the layer before it gives \
                     {before}; is a layer missing between them (input_proj, compression, \
                     expansion, teacher_align), or one of another student?",
                    layer.name,
                    layer.shape,
                    inputs(layer)
                ));
            }
            widths.push(layer.outputs);
        }
        let (input, output) = (widths[0], widths[widths.len() - 1]);
        if input != output {
            return Err(format!(
                "{}, the first layer, takes {input} values and teacher_align gives {output}, but a \
                 student gives back as many as it takes; is a layer missing, such as input_proj?",
                names[0]
            ));
        }
        Ok(Self { names, widths, transposed })
    }

    /// Whether the layers are called what `arch`, made of their widths, calls them.
    ///
    /// # Errors
    /// If the latent is not where the names say.
    pub(super) fn check_names(&self, arch: &Arch) -> Result<(), String> {
        let at = arch.latent_index();
        let wanted = arch.layer_name(at - 1);
        if self.names[at - 1] == wanted {
            return Ok(());
        }
        Err(format!(
            "the widths {arch} have their narrowest at {}, and the latent must be the narrowest: \
             compression must give the fewest values",
            self.names[at - 1]
        ))
    }
}

/// Names of the linear layers from input to output.
fn order(shapes: &BTreeMap<String, Vec<usize>>) -> Result<Vec<String>, String> {
    let has = |name: &str| shapes.contains_key(&format!("{name}.weight"));
    let numbered = |kind: &str| {
        (1..).map(|i| format!("{kind}_{i}")).take_while(|name| has(name)).collect::<Vec<_>>()
    };
    let (encoders, decoders) = (numbered("encoder"), numbered("decoder"));
    let first = has("input_proj") || !encoders.is_empty() || has("input_proj_norm");
    let middle = has("expansion") || !decoders.is_empty();
    let mut names = Vec::new();
    names.extend(first.then(|| "input_proj".to_string()));
    names.extend(encoders);
    names.push("compression".into());
    names.extend(middle.then(|| "expansion".to_string()));
    names.extend(decoders);
    names.push("teacher_align".into());
    Ok(names)
}

fn stored<'a>(shapes: &BTreeMap<String, Vec<usize>>, name: &'a str) -> Result<Stored<'a>, String> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let shape = match shapes.get(&weight).map(Vec::as_slice) {
        Some(&[rows, cols]) if rows > 0 && cols > 0 => [rows, cols],
        Some(other) => return Err(format!("{weight} has shape {other:?}, a matrix is needed")),
        None => return Err(format!("the layer {name} is missing ({weight})")),
    };
    let outputs = match shapes.get(&bias).map(Vec::as_slice) {
        Some(&[outputs]) => outputs,
        Some(other) => return Err(format!("{bias} has shape {other:?}, a vector is needed")),
        None => {
            return Err(format!(
                "{bias} is missing; a layer without one needs zeros, as many as it has outputs"
            ));
        }
    };
    if !shape.contains(&outputs) {
        return Err(format!(
            "{weight} has shape {shape:?} and {bias} has {outputs} values: they do not fit"
        ));
    }
    Ok(Stored { name, shape, outputs })
}

/// Whether the matrices are stored as `in × out`, by those that are not square; `out × in`, as
/// PyTorch has them, where all are.
fn orientation(layers: &[Stored<'_>]) -> Result<bool, String> {
    let mut told: Option<(bool, &str)> = None;
    for layer in layers.iter().filter(|layer| layer.shape[0] != layer.shape[1]) {
        let transposed = layer.shape[1] == layer.outputs;
        match told {
            Some((other, name)) if other != transposed => {
                return Err(format!(
                    "{name}.weight and {}.weight are stored in different orders (out × in and \
                     in × out, by the lengths of their biases); save them alike",
                    layer.name
                ));
            }
            _ => told = Some((transposed, layer.name)),
        }
    }
    Ok(told.is_some_and(|(transposed, _)| transposed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes of layers, each `name, out, in`.
    fn shapes(layers: &[(&str, usize, usize)]) -> BTreeMap<String, Vec<usize>> {
        let mut all = BTreeMap::new();
        for (name, outputs, inputs) in layers {
            all.insert(format!("{name}.weight"), vec![*outputs, *inputs]);
            all.insert(format!("{name}.bias"), vec![*outputs]);
        }
        all
    }

    const NOTE: [(&str, usize, usize); 4] = [
        ("input_proj", 9, 12),
        ("compression", 5, 9),
        ("expansion", 9, 5),
        ("teacher_align", 12, 9),
    ];

    #[test]
    fn reads_widths_in_order() {
        let layers = Layers::read(&shapes(&NOTE)).unwrap();
        assert_eq!((&layers.widths[..], layers.transposed), (&[12, 9, 5, 9, 12][..], false));
        let deep = [
            ("input_proj", 9, 12),
            ("encoder_1", 7, 9),
            ("compression", 5, 7),
            ("expansion", 6, 5),
            ("decoder_1", 8, 6),
            ("teacher_align", 12, 8),
        ];
        assert_eq!(Layers::read(&shapes(&deep)).unwrap().widths, [12, 9, 7, 5, 6, 8, 12]);
        let linear = [("compression", 5, 12), ("teacher_align", 12, 5)];
        assert_eq!(Layers::read(&shapes(&linear)).unwrap().widths, [12, 5, 12]);
    }

    #[test]
    fn square_layers_follow_the_others() {
        let family_a = [
            ("input_proj", 12, 12),
            ("compression", 6, 12),
            ("expansion", 12, 6),
            ("teacher_align", 12, 12),
        ];
        let mut all = shapes(&family_a);
        assert!(!Layers::read(&all).unwrap().transposed);
        for (name, shape) in &mut all {
            if name.ends_with(".weight") {
                shape.reverse();
            }
        }
        let layers = Layers::read(&all).unwrap();
        assert_eq!((&layers.widths[..], layers.transposed), (&[12, 12, 6, 12, 12][..], true));
        all.insert("expansion.weight".into(), vec![12, 6]);
        assert!(Layers::read(&all).unwrap_err().contains("different orders"));
    }

    #[test]
    fn names_what_is_missing() {
        for (name, ..) in NOTE {
            let without: Vec<_> = NOTE.into_iter().filter(|layer| layer.0 != name).collect();
            let message = Layers::read(&shapes(&without)).unwrap_err();
            assert!(message.contains(name), "{name}: {message}");
        }
        let mut all = shapes(&NOTE);
        all.remove("expansion.bias");
        assert!(Layers::read(&all).unwrap_err().contains("expansion.bias is missing"));
        all.insert("expansion.bias".into(), vec![4]);
        assert!(Layers::read(&all).unwrap_err().contains("do not fit"));
    }

    #[test]
    fn the_latent_must_be_the_narrowest() {
        let wide = [
            ("input_proj", 4, 12),
            ("compression", 5, 4),
            ("expansion", 9, 5),
            ("teacher_align", 12, 9),
        ];
        let layers = Layers::read(&shapes(&wide)).unwrap();
        let arch: Arch = "12-4-5-9-12".parse().unwrap();
        assert!(layers.check_names(&arch).unwrap_err().contains("narrowest at input_proj"));
        assert!(
            Layers::read(&shapes(&NOTE))
                .unwrap()
                .check_names(&"12-9-5-9-12".parse().unwrap())
                .is_ok()
        );
    }
}
