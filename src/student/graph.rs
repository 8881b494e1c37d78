//! The order of operations of a student, from input to output.

use crate::arch::{Activation, Arch, SN727_HEADS, Variant};

/// One operation; parameters are named by their index in [`Arch::parameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `act(x · Wᵀ + b)`; bias is the parameter after the weight.
    Linear {
        /// Index of the weight.
        weight: usize,
        /// The activation, none at the latent and the output.
        activation: Option<Activation>,
    },
    /// LayerNorm; shift is the parameter after the scale.
    LayerNorm {
        /// Index of the scale.
        weight: usize,
    },
    /// `x + MultiHeadAttention(x)` at sequence length one.
    Attention {
        /// Index of the qkv weight; its bias, the output weight and its bias follow.
        qkv: usize,
        /// Number of heads.
        heads: usize,
    },
}

/// The operations of an architecture. Operation `i` reads value `i` and writes value `i + 1`;
/// value 0 is the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// In order.
    pub ops: Vec<Op>,
    /// Width of every value, input first: one more than there are operations.
    pub widths: Vec<usize>,
    /// Which value is the latent.
    pub latent: usize,
    /// The alignment head of `sn727`: the value that it reads, and its weight.
    pub head: Option<(usize, usize)>,
}

impl Graph {
    /// The graph of an architecture.
    pub fn new(arch: &Arch) -> Self {
        let names = arch.parameters();
        let index = |name: &str| {
            let name = format!("{name}.weight");
            names.iter().position(|p| p.name == name).expect("a parameter of this architecture")
        };
        let sn727 = arch.variant() == Variant::Sn727;
        let mut graph = Self { ops: Vec::new(), widths: vec![arch.input()], latent: 0, head: None };
        for layer in 0..arch.layers() {
            let name = arch.layer_name(layer);
            let to = arch.widths()[layer + 1];
            let latent = layer + 1 == arch.latent_index();
            if sn727 {
                graph.push(Op::LayerNorm { weight: index(&format!("{name}_norm")) }, None);
            }
            let linear = latent || layer + 1 == arch.layers();
            let activation = (!linear).then_some(arch.activation());
            graph.push(Op::Linear { weight: index(&name), activation }, Some(to));
            if sn727 && layer == 0 {
                graph.head = Some((graph.ops.len(), index("alignment_head")));
            }
            if latent {
                if sn727 {
                    let qkv = index("attention.qkv");
                    graph.push(Op::Attention { qkv, heads: SN727_HEADS }, None);
                }
                graph.latent = graph.ops.len();
            }
        }
        if sn727 {
            graph.push(Op::LayerNorm { weight: index("output_norm") }, None);
        }
        graph
    }

    fn push(&mut self, op: Op, width: Option<usize>) {
        self.ops.push(op);
        self.widths.push(width.unwrap_or(self.widths[self.widths.len() - 1]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_sn727() {
        let plain = Graph::new(&Arch::family_b(256).unwrap());
        assert_eq!(plain.widths, [384, 256, 192, 256, 384]);
        assert_eq!(plain.latent, 2);
        assert_eq!(plain.head, None);
        let arch = Arch::family_b(256).unwrap().with_variant(Variant::Sn727).unwrap();
        let sn727 = Graph::new(&arch);
        assert_eq!(sn727.widths, [384, 384, 256, 256, 192, 192, 192, 256, 256, 384, 384]);
        assert_eq!(sn727.latent, 5);
        assert_eq!(sn727.head.unwrap().0, 2);
    }
}
