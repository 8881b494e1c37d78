//! The training loop: repeatable, resumable, stopped by what is not finite, better than its start.

use std::sync::Arc;

use lnsp::device::Device;
use lnsp::sizes::training_bytes;
use lnsp::student::{Init, Parameters};
use lnsp::train::{Budget, Checkpoint, Objective, Step, Stop, TrainConfig, Trainer};
use lnsp::{Arch, Error, Matrix, Variant};
use pollster::block_on;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Unit rows with a falling spectrum.
fn vectors(rows: usize, width: usize) -> Arc<Matrix> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut all = Matrix::from_fn(rows, width, |_, c| {
        let value: f32 = StandardNormal.sample(&mut rng);
        value / (1.0 + c as f32).sqrt()
    });
    for i in 0..rows {
        let norm = all.row(i).iter().map(|v| v * v).sum::<f32>().sqrt();
        all.row_mut(i).iter_mut().for_each(|v| *v /= norm);
    }
    Arc::new(all)
}

fn config() -> TrainConfig {
    TrainConfig { epochs: 3, batch: 16, validation_rows: 30, ..TrainConfig::default() }
}

fn arch() -> Arch {
    "24-16-8-16-24".parse().unwrap()
}

fn trainer(arch: &Arch, config: &TrainConfig) -> Trainer {
    block_on(Trainer::new(&Device::cpu(), arch, config, vectors(200, 24))).unwrap()
}

#[test]
fn same_seed_same_student_and_other_seed_another() {
    let run = |seed| {
        let mut t = trainer(&arch(), &TrainConfig { seed, ..config() });
        block_on(t.advance(Budget::steps(1000))).unwrap();
        block_on(t.current()).unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn resumed_anywhere_it_ends_bit_for_bit_as_if_unbroken() {
    for (variant, init) in [(Variant::Plain, Init::Spectral), (Variant::Sn727, Init::Random)] {
        let arch: Arch = "24-16-9-16-24".parse().unwrap();
        let arch = arch.with_variant(variant).unwrap();
        let config = TrainConfig { init, ..config() };
        let mut whole = trainer(&arch, &config);
        block_on(whole.advance(Budget::steps(1000))).unwrap();
        let wanted = block_on(whole.checkpoint()).unwrap();
        for stop in [1, 10, 11, 17] {
            let mut first = trainer(&arch, &config);
            block_on(first.advance(Budget::steps(stop))).unwrap();
            let bytes = block_on(first.checkpoint()).unwrap().to_bytes().unwrap();
            let checkpoint = Checkpoint::from_bytes("c", &bytes).unwrap();
            assert_eq!(checkpoint.step(), stop);
            let data = vectors(200, 24);
            let mut second = block_on(Trainer::resume(&Device::cpu(), &checkpoint, data)).unwrap();
            block_on(second.advance(Budget::steps(1000))).unwrap();
            let got = block_on(second.checkpoint()).unwrap();
            assert!(got == wanted, "{variant}, stopped at {stop}");
        }
    }
}

#[test]
fn a_checkpoint_of_other_vectors_or_half_a_checkpoint_is_refused() {
    let mut t = trainer(&arch(), &config());
    block_on(t.advance(Budget::steps(3))).unwrap();
    let checkpoint = block_on(t.checkpoint()).unwrap();
    let other = vectors(201, 24);
    let error = block_on(Trainer::resume(&Device::cpu(), &checkpoint, other)).err().unwrap();
    assert!(error.to_string().contains("other vectors"), "{error}");
    let bytes = checkpoint.to_bytes().unwrap();
    for broken in [&bytes[..0], &bytes[..7], &bytes[..bytes.len() - 1], &[0xff; 99]] {
        let error = Checkpoint::from_bytes("c", broken).unwrap_err().to_string();
        assert!(error.contains("not a whole checkpoint"), "{error}");
    }
}

#[test]
fn what_is_not_finite_stops_it_with_the_step() {
    let config = TrainConfig {
        learning_rate: 1e30,
        clip_norm: 0.0,
        warmup: 0.0,
        init: Init::Random,
        ..config()
    };
    let mut t = trainer(&arch(), &config);
    match block_on(t.advance(Budget::steps(1000))) {
        Err(Error::Training { step, cause }) => {
            assert!((2..=33).contains(&step), "{step}");
            assert!(cause.contains("--learning-rate"), "{cause}");
        }
        other => panic!("{:?}", other.map(|p| p.step)),
    }
}

#[test]
fn losses_fall_and_with_patience_the_best_epoch_is_kept() {
    let config = TrainConfig { epochs: 30, init: Init::Random, learning_rate: 5e-3, ..config() };
    let mut t = trainer(&arch(), &config);
    let progress = block_on(t.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(progress.stop, Some(Stop::Finished));
    assert_eq!(progress.step, 30 * 10);
    let history = t.history();
    assert_eq!(history.len(), 31);
    assert!(history[30].losses.total < 0.5 * history[1].losses.total);
    let best = history.iter().filter_map(|e| e.validation_overlap).fold(0.0, f64::max);
    assert_eq!(t.best_epoch().1, best);
    assert!(best > history[0].validation_overlap.unwrap());
}

#[test]
fn patience_stops_early() {
    let config = TrainConfig { epochs: 50, learning_rate: 1e-9, patience: 2, ..config() };
    let mut t = trainer(&arch(), &config);
    let progress = block_on(t.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!(progress.stop, Some(Stop::Early));
    assert!(progress.epoch < 50);
}

#[test]
fn a_set_smaller_than_a_batch_is_one_batch() {
    let config = TrainConfig { batch: 1000, validation_rows: 0, ..config() };
    let mut t = trainer(&arch(), &config);
    assert_eq!((t.batch(), t.steps_per_epoch()), (200, 1));
    let progress = block_on(t.advance(Budget::steps(u64::MAX))).unwrap();
    assert_eq!((progress.step, progress.stop), (3, Some(Stop::Finished)));
}

#[test]
fn settings_and_data_must_fit() {
    let refused = |arch: &str, config: TrainConfig, data| {
        let arch: Arch = arch.parse().unwrap();
        let trainer = block_on(Trainer::new(&Device::cpu(), &arch, &config, data));
        trainer.expect_err("a refusal").to_string()
    };
    let wide = refused("384-16-8-16-384", config(), vectors(200, 24));
    assert!(wide.contains("24 wide"), "{wide}");
    let few = refused("24-16-8-16-24", config(), vectors(1, 24));
    assert!(few.contains("two are the least"), "{few}");
    let uneven = refused("24-16-8-16-20", config(), vectors(200, 24));
    assert!(uneven.contains("must take and give"), "{uneven}");
    let none = refused("24-16-8-16-24", TrainConfig { batch: 1, ..config() }, vectors(200, 24));
    assert!(none.contains("at least 2"), "{none}");
}

#[test]
fn the_ledger_holds_what_the_layer_list_predicts() {
    for (arch, variant) in [
        ("384-256-192-256-384", Variant::Plain),
        ("384-256-192-256-384", Variant::Sn727),
        ("48-40-32-12-20-48", Variant::Plain),
    ] {
        let arch: Arch = arch.parse().unwrap();
        let arch = arch.with_variant(variant).unwrap();
        let device = Device::cpu();
        let (config, start) = (TrainConfig::default(), Parameters::random(&arch, 1));
        let step =
            Step::new(&device, &start, &Objective::new(&config), config.batch, None).unwrap();
        let held = device.ledger().usage().bytes as f64;
        let predicted = training_bytes(&arch, config.batch).unwrap().total as f64;
        assert!((held / predicted - 1.0).abs() < 0.01, "{arch} {variant}: {held} {predicted}");
        drop(step);
        assert_eq!(device.ledger().usage().bytes, 0);
    }
    // The note says 25 MB for this one.
    let plain = Arch::family_b(256).unwrap();
    assert!(training_bytes(&plain, 256).unwrap().total < 10_000_000);
}
