use gatelodge_storage_suite::{
    Harness, hidden,
    memory::{Flaw, MemoryStorage},
};
use std::sync::Arc;
#[test]
fn explore() {
    let flaws = Flaw::ALL;
    let handles: Vec<_> = (0..2)
        .map(|half| {
            std::thread::spawn(move || {
                std::panic::set_hook(Box::new(|_| {}));
                for (n, flaw) in flaws.iter().copied().enumerate() {
                    if n % 2 != half {
                        continue;
                    }
                    let start = std::time::Instant::now();
                    let mut out = String::new();
                    for name in hidden::names() {
                        let t = std::time::Instant::now();
                        let r = std::panic::catch_unwind(|| {
                            hidden::run(name, || async move {
                                Harness::new(Arc::new(MemoryStorage::flawed(flaw)))
                            })
                        });
                        if r.is_err() {
                            out.push_str(&format!("M {flaw:?} {name} {:?}\n", t.elapsed()));
                        }
                    }
                    println!("{out}F {flaw:?} {:?}", start.elapsed());
                }
            })
        })
        .collect();
    for h in handles {
        h.join().unwrap();
    }
}
