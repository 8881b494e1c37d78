//! Codes measured on the bundled vectors, and what every code must obey.

use half::f16;
use lnsp::codes::{
    Code, Encoded, PcaTransform, Projected, RotatedBits, Symmetric, TransformBasis, baselines,
};
use lnsp::linalg::{Pca, random_rotation};
use lnsp::metrics::{
    Neighbours, PairRanks, bootstrap_mean, cosines, ndcg_at_k, overlap_at_k, paired_difference,
};
use lnsp::{Error, Matrix};
use proptest::prelude::*;
use std::time::Instant;

fn bundled(name: &str) -> Matrix {
    let path = format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("vectors").unwrap();
    let value = |b: &[u8]| f16::from_le_bytes([b[0], b[1]]).to_f32();
    let data = tensor.data().chunks_exact(2).map(value).collect();
    Matrix::new(tensor.shape()[0], tensor.shape()[1], data).unwrap()
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
}

struct Truth {
    rows: Matrix,
    neighbours: Neighbours,
    pairs: PairRanks,
}

struct Figures {
    overlap: Vec<f32>,
    spearman: f64,
    cosine: f64,
}

impl Truth {
    fn measure(&self, code: &dyn Code) -> Figures {
        let start = Instant::now();
        let encoded = code.encode(&self.rows).unwrap();
        let encoding = start.elapsed();
        let found = Neighbours::within(encoded.queries(), &encoded.documents, 100).unwrap();
        let overlap = overlap_at_k(&self.neighbours, &found, 10).unwrap();
        let searching = start.elapsed() - encoding;
        let spearman = self.pairs.spearman(encoded.queries(), &encoded.documents);
        let Encoded { name, bytes_per_vector, reconstruction, .. } = encoded;
        let figures = Figures {
            spearman: spearman.unwrap().unwrap(),
            cosine: mean(&cosines(&self.rows, &reconstruction.unwrap()).unwrap()),
            overlap,
        };
        println!(
            "{name:40} {bytes_per_vector:5} B  {:.4} {:.4} {:.4}  encode {encoding:.0?}, search \
             {searching:.0?}, all {:.0?}",
            mean(&figures.overlap),
            figures.spearman,
            figures.cosine,
            start.elapsed(),
        );
        figures
    }
}

/// The figures were measured beforehand with another program on the same files; random rotations
/// differ, hence the tolerance. Those of the symmetric codes are means over four rotations by
/// three plain loops and a full sort; scored by cosine, as here (by dot product, with the
/// documents' norms as quantised, 4 bits give 0.937).
#[test]
fn bundled_vectors_give_the_known_table() {
    let train = bundled("vectors_train_20k.safetensors");
    let rows = bundled("vectors_heldout_3k.safetensors");
    let start = Instant::now();
    let pca = Pca::fit(&train, false).unwrap();
    println!("PCA {:.0?}", start.elapsed());
    let centred = Pca::fit(&train, true).unwrap();
    let start = Instant::now();
    let truth = Truth {
        neighbours: Neighbours::within(&rows, &rows, 100).unwrap(),
        pairs: PairRanks::new(&rows, 500_000, 1).unwrap(),
        rows,
    };
    println!("truth {:.0?}", start.elapsed());
    let basis = TransformBasis::fit(&pca, &train).unwrap();
    let teacher = Projected::whole(384).unwrap();
    let bits = |bits| RotatedBits::new(384, bits, 7).unwrap();
    let transform = |bytes| PcaTransform::new(&basis, bytes).unwrap();
    let components = |k| Projected::pca(&pca, k).unwrap();
    let symmetric = |count| Symmetric(Box::new(bits(count)));
    type Row = (Box<dyn Code>, usize, f64, Option<f64>, Option<f64>);
    let table: Vec<Row> = vec![
        (Box::new(teacher.clone()), 1536, 1.0, Some(1.0), Some(1.0)),
        (Box::new(teacher.int8(&train).unwrap()), 384, 0.995, Some(1.0), Some(1.0)),
        (Box::new(bits(4)), 192, 0.954, Some(0.998), None),
        (Box::new(bits(2)), 96, 0.856, Some(0.973), None),
        (Box::new(bits(1)), 48, 0.718, Some(0.901), None),
        (Box::new(symmetric(4)), 192, 0.942, None, None),
        (Box::new(symmetric(2)), 96, 0.802, None, None),
        (Box::new(symmetric(1)), 48, 0.590, None, None),
        (Box::new(transform(192)), 192, 0.966, Some(0.999), Some(0.997)),
        (Box::new(transform(96)), 96, 0.896, Some(0.988), Some(0.970)),
        (Box::new(transform(48)), 48, 0.786, Some(0.955), Some(0.896)),
        (Box::new(transform(24)), 24, 0.661, Some(0.907), Some(0.785)),
        (Box::new(components(192)), 768, 0.886, Some(0.989), Some(0.934)),
        (Box::new(components(192).int8(&train).unwrap()), 192, 0.886, Some(0.989), Some(0.934)),
        (Box::new(components(96)), 384, 0.717, Some(0.945), Some(0.806)),
        (Box::new(components(48)), 192, 0.538, Some(0.881), Some(0.677)),
        (Box::new(Projected::truncation(384, 192).unwrap()), 768, 0.671, Some(0.836), None),
        (Box::new(Projected::pca(&centred, 192).unwrap()), 768, 0.846, None, None),
    ];
    let mut wrong = Vec::new();
    for (code, bytes, overlap, spearman, cosine) in &table {
        assert_eq!(code.bytes_per_vector(), *bytes);
        let got = truth.measure(code.as_ref());
        let mut check = |what: &str, got: f64, expected: Option<f64>| {
            if expected.is_some_and(|e| (got - e).abs() > 0.004) {
                wrong.push(format!("{}: {what} {got:.4}, not {expected:?}", code.name()));
            }
        };
        check("overlap@10", mean(&got.overlap), Some(*overlap));
        check("Spearman", got.spearman, *spearman);
        check("cosine", got.cosine, *cosine);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    // A paired comparison sees what two single intervals cannot.
    let (f32s, int8) = (truth.measure(table[12].0.as_ref()), truth.measure(table[13].0.as_ref()));
    let single = bootstrap_mean(&f32s.overlap, 1000, 3).unwrap();
    let paired = paired_difference(&int8.overlap, &f32s.overlap, 1000, 3).unwrap();
    println!("{single:?} {paired:?}");
    assert!(single.low < single.mean && single.mean < single.high);
    assert!((single.high - single.low - 4.0 * 0.0016).abs() < 0.0015);
    assert!(paired.high - paired.low < 0.5 * (single.high - single.low));
}

fn sample(rows: usize, cols: usize, seed: u64) -> Matrix {
    let phase = seed as f32 * 0.37;
    let value = |r: usize, c: usize| ((r * 131 + c * 17) as f32 * 0.71 + phase).sin();
    Matrix::from_fn(rows, cols, |r, c| value(r, c) / (1.0 + c as f32) + 0.05)
}

#[test]
fn every_code_packs_exactly_and_alike_in_batches_of_any_size() {
    let (train, x) = (sample(60, 48, 1), sample(9, 48, 2));
    for code in baselines(&train, 24, 5).unwrap() {
        let bytes = code.pack(&x).unwrap();
        assert_eq!(bytes.len(), 9 * code.bytes_per_vector(), "{}", code.name());
        let single: Vec<u8> = (0..9)
            .flat_map(|i| {
                let one = code.pack(&x.slice_rows(i, i + 1)).unwrap();
                assert_eq!(one.len(), code.bytes_per_vector());
                one
            })
            .collect();
        let (alone, batch) = (code.unpack(&single).unwrap(), code.unpack(&bytes).unwrap());
        // Products of one row and of many may differ in the last bit, and a value on a
        // threshold with them; no more than that.
        let cosines = cosines(&alone, &batch).unwrap();
        assert!(cosines.iter().all(|c| *c > 0.99), "{} {cosines:?}", code.name());
        let documents = code.documents(&x).unwrap();
        assert_eq!(documents, batch);
        assert_eq!(code.queries(&x).unwrap().cols(), documents.cols());
        let back = code.reconstruct(&x).unwrap().unwrap();
        assert_eq!((back.rows(), back.cols()), (9, code.width()));
        let encoded = code.encode(&x).unwrap();
        assert_eq!(encoded.queries.is_some(), code.asymmetric());
        assert!(code.pack(&Matrix::zeros(0, 48)).unwrap().is_empty());
        assert!(code.pack(&Matrix::zeros(3, 48)).is_ok(), "{}: zero rows", code.name());
    }
}

#[test]
fn wrong_widths_and_cut_bytes_are_errors() {
    let train = sample(60, 48, 1);
    for code in baselines(&train, 24, 5).unwrap() {
        let message = code.pack(&Matrix::zeros(2, 47)).unwrap_err().to_string();
        assert!(message.contains("48") && message.contains("47"), "{message}");
        assert!(code.queries(&Matrix::zeros(2, 49)).is_err());
        assert!(code.decode(&Matrix::zeros(2, 5)).is_err());
        let bytes = code.pack(&train).unwrap();
        if code.bytes_per_vector() > 1 {
            let cut = code.unpack(&bytes[..bytes.len() - 1]);
            assert!(matches!(cut, Err(Error::Format { .. })));
        }
    }
    assert!(baselines(&train, 49, 0).is_err());
    assert!(baselines(&train, 0, 0).is_err());
    assert!(baselines(&Matrix::zeros(0, 48), 24, 0).is_err());
    assert!(RotatedBits::new(48, 0, 0).is_err());
    assert!(RotatedBits::new(48, 9, 0).is_err());
    let basis = TransformBasis::fit(&Pca::fit(&train, false).unwrap(), &train).unwrap();
    assert!(PcaTransform::new(&basis, 0).is_err());
    assert!(PcaTransform::new(&basis, 49).is_err());
    let full = PcaTransform::new(&basis, 48).unwrap();
    assert!(full.bits().iter().all(|bits| *bits == 8));
}

#[test]
fn constant_and_empty_columns_are_harmless() {
    let mut train = sample(50, 16, 3);
    for row in 0..50 {
        train.row_mut(row)[3] = 0.0;
        train.row_mut(row)[7] = 0.25;
        train.row_mut(row)[11] = 1e-32;
    }
    for code in baselines(&train, 16, 0).unwrap() {
        let encoded = code.encode(&train).unwrap();
        assert!(encoded.documents.data().iter().all(|v| v.is_finite()), "{}", code.name());
        let back = encoded.reconstruction.unwrap();
        assert!(back.data().iter().all(|v| v.is_finite()), "{}", code.name());
    }
}

#[test]
fn more_bits_keep_more() {
    let x = sample(80, 32, 4);
    let error = |bits| {
        let back = RotatedBits::new(32, bits, 1).unwrap().reconstruct(&x).unwrap().unwrap();
        1.0 - mean(&cosines(&x, &back).unwrap())
    };
    let errors: Vec<f64> = [1, 2, 4, 8].map(error).to_vec();
    assert!(errors.windows(2).all(|w| w[1] < 0.6 * w[0]), "{errors:?}");
    assert!(errors[3] < 1e-3);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn rotation_keeps_cosines(rows in 2usize..9, width in 1usize..33, seed in 0u64..1000) {
        let x = sample(rows, width, seed);
        let rotation = random_rotation(width, seed).unwrap();
        let rotated = lnsp::linalg::product::matmul_nt(&x, &rotation);
        let shift = |m: &Matrix| m.gather_rows(&(0..rows).map(|i| (i + 1) % rows).collect::<Vec<_>>());
        let before = cosines(&x, &shift(&x)).unwrap();
        let after = cosines(&rotated, &shift(&rotated)).unwrap();
        for (a, b) in before.iter().zip(after) {
            prop_assert!((a - b).abs() < 1e-5);
        }
    }

    #[test]
    fn unpacked_latents_pack_to_the_same_bytes(rows in 2usize..20, width in 1usize..30, seed in 0u64..99) {
        let train = sample(rows, width, seed);
        let whole = Projected::whole(width).unwrap();
        for code in [whole.clone(), whole.f16(), whole.int8(&train).unwrap()] {
            let bytes = code.pack(&sample(5, width, seed + 1)).unwrap();
            prop_assert_eq!(code.pack(&code.unpack(&bytes).unwrap()).unwrap(), bytes);
        }
    }

    #[test]
    fn identical_vectors_keep_all_neighbours(rows in 12usize..60, width in 2usize..20, seed in 0u64..99) {
        let x = sample(rows, width, seed);
        let truth = Neighbours::within(&x, &x, 10).unwrap();
        let scaled = Matrix::from_fn(rows, width, |r, c| x.row(r)[c] * 4.0);
        let found = Neighbours::within(&scaled, &scaled, 10).unwrap();
        for k in [1, 10] {
            prop_assert!(overlap_at_k(&truth, &found, k).unwrap().iter().all(|v| *v == 1.0));
        }
        prop_assert!(ndcg_at_k(&truth, &found, 10).unwrap().iter().all(|v| (*v - 1.0).abs() < 1e-6));
    }

    #[test]
    fn transform_bits_meet_any_budget(width in 1usize..40, share in 0.0f64..1.0, seed in 0u64..99) {
        let train = sample(30, width, seed);
        let basis = TransformBasis::fit(&Pca::fit(&train, false).unwrap(), &train).unwrap();
        let bytes = 1 + (share * (width - 1) as f64) as usize;
        let code = PcaTransform::new(&basis, bytes).unwrap();
        prop_assert_eq!(code.bits().iter().map(|b| usize::from(*b)).sum::<usize>(), 8 * bytes);
        prop_assert_eq!(code.pack(&train).unwrap().len(), 30 * bytes);
    }
}
