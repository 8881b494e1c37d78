//! The speed of the teacher: embeds token sequences from a file and prints what it took as JSON.
//!
//! `embed_tokens MODEL.safetensors TOKENS.txt [f32|f16|int8] [ROUNDS]`; the tokens of a sequence
//! stand in a line, parted by blanks.

use std::time::Instant;

use lnsp::device::Device;
use lnsp::teacher::Teacher;
use pollster::block_on;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().collect();
    let [_, model, tokens, rest @ ..] = &given[..] else {
        return Err("embed_tokens MODEL.safetensors TOKENS.txt [f32|f16|int8] [ROUNDS]".into());
    };
    let precision = rest.first().map(|text| text.parse()).transpose()?;
    let rounds: usize = rest.get(1).map(|text| text.parse()).transpose()?.unwrap_or(3);
    let text = std::fs::read_to_string(tokens)?;
    let line = |line: &str| line.split_whitespace().map(str::parse).collect();
    let sequences = text.lines().map(line).collect::<Result<Vec<Vec<u32>>, _>>()?;

    // As the command does: this thread works with the others.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global()?;
    let device = Device::cpu();
    let began = Instant::now();
    let stream = std::io::BufReader::new(std::fs::File::open(model)?);
    let teacher = Teacher::from_reader(&device, model, stream, precision)?;
    let load = began.elapsed().as_secs_f64();
    let embed = |sequences: &[Vec<u32>]| block_on(teacher.embed(sequences, &mut |_| Ok(())));
    // One sequence of the middle length, then all of them; the best round counts, as for a peer.
    let mut order: Vec<&Vec<u32>> = sequences.iter().collect();
    order.sort_by_key(|s| s.len());
    let one = order.get(order.len() / 2).ok_or("no sequences")?.to_vec();
    let best = |rounds: usize, sequences: &[Vec<u32>]| -> lnsp::Result<f64> {
        embed(sequences)?;
        let mut best = f64::INFINITY;
        for _ in 0..rounds {
            let began = Instant::now();
            embed(sequences)?;
            best = best.min(began.elapsed().as_secs_f64());
        }
        Ok(best)
    };
    let one_tokens = one.len();
    let single = best(50, &[one])?;
    let all = best(rounds, &sequences)?;
    println!(
        "{{\"load_s\": {load:.3}, \"one_ms\": {:.3}, \"one_tokens\": {one_tokens}, \
         \"sentences_per_s\": {:.1}, \"weights\": {}, \"peak_tensors\": {}}}",
        1e3 * single,
        sequences.len() as f64 / all,
        teacher.bytes(),
        device.ledger().usage().peak_bytes
    );
    Ok(())
}
