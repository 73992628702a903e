//! The raw rate: Argon2id and nothing else, by the kernel that the server has too, one thread on each core.

use std::{
    thread,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};

/// As the server hashes out of the box: 19 MiB, two passes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// Hashes per second. Each thread keeps its memory.
pub(crate) fn per_second(time: Duration) -> f64 {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let done: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| hash_until(begun + time)))
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    done as f64 / begun.elapsed().as_secs_f64()
}

fn hash_until(end: Instant) -> usize {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).unwrap();
    let mut blocks = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0; 32];
    let mut done = 0;
    while Instant::now() < end {
        argon2
            .hash_password_into_with_memory(
                b"correct horse battery",
                b"sixteen bytes!!!",
                &mut output,
                &mut blocks,
            )
            .unwrap();
        done += 1;
    }
    done
}
