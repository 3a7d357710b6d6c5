//! What the hot paths may cost: allocations, system calls that read or write, and calls of the store. Counts, not times; they fail
//! when somebody makes a hot path fatter. Each budget is what was counted and less than one allocation more for each thing that moves
//! (a record, a file, a part, a frame of 16 KiB of a mebibyte), the author's own two of a record included; what comes together in one
//! batch differs from run to run. How many reads what comes in takes is the host's doing: it has no budget.

use std::cell::Cell;

use system_tests::answers::{directory, file};
use system_tests::host::{Connector, Role, Start};
use system_tests::run;
use system_tests::wire::store::StorageResource::Packfile;

const MIB: usize = 1 << 20;

/// What was counted between two points, for each of so many things.
#[derive(Debug)]
struct Cost {
    allocations: f64,
    reads_and_writes: f64,
    /// Calls of the author's `get`.
    gets: f64,
}

impl Cost {
    fn is_within(&self, allocations: f64, reads_and_writes: f64) {
        println!("{self:?}");
        assert!(self.allocations <= allocations, "{self:?}: {allocations} allocations are the budget");
        assert!(self.reads_and_writes <= reads_and_writes, "{self:?}: {reads_and_writes} reads and writes are the budget");
    }
}

/// The counted connector, and how often it was asked.
struct Counted {
    connector: Connector,
    role: Role,
    asked: Cell<u64>,
}

impl Counted {
    async fn start(role: Role, config: &[(&str, &str)]) -> Self {
        let connector = Start::new(env!("CARGO_BIN_EXE_counted")).arg(role).go().await;
        connector.init(role, config).await.unwrap();
        Counted { connector, role, asked: Cell::new(0) }
    }

    /// Allocations, reads and writes, and calls of the author's `get` so far.
    async fn counts(&self) -> [u64; 3] {
        self.asked.set(self.asked.get() + 1);
        self.connector.ping(self.role).await.unwrap();
        let line = self.connector.stderr.wait_for(&format!("counted {}: ", self.asked.get())).await;
        let counts: Vec<_> = line.split(' ').map(|count| count.parse().unwrap()).collect();
        counts.try_into().unwrap()
    }

    /// What `work` costs, for each of `n`.
    async fn cost<F: Future<Output = ()>>(&self, n: usize, work: impl FnOnce() -> F) -> Cost {
        let before = self.counts().await;
        work().await;
        let after = self.counts().await;
        let [allocations, reads_and_writes, gets] = std::array::from_fn(|i| (after[i] - before[i]) as f64 / n as f64);
        Cost { allocations, reads_and_writes, gets }
    }
}

#[test]
fn a_record_costs_few_allocations_and_no_system_call_of_its_own() {
    run(async {
        const RECORDS: usize = 20_000;
        let counted = Counted::start(Role::Importer, &[("records", "20000")]).await;
        let connector = &counted.connector;
        let scan = || async { assert_eq!(connector.import().await.unwrap().all().await.unwrap().len(), RECORDS + 1) };
        counted.cost(RECORDS, scan).await.is_within(3.9, 0.5);
    });
}

#[test]
fn opening_a_small_file_costs_few_allocations_and_system_calls() {
    run(async {
        const FILES: usize = 1000;
        let counted = Counted::start(Role::Importer, &[("records", "1000"), ("size", "4096")]).await;
        let connector = &counted.connector;
        let mut import = connector.import().await.unwrap();
        for _ in 0..=FILES {
            import.expect().await;
        }
        let open = || async {
            for i in 0..FILES {
                assert_eq!(connector.read(&format!("/{i:06}"), None).await.unwrap().len(), 4096);
            }
        };
        counted.cost(FILES, open).await.is_within(27.4, 7.0);
    });
}

#[test]
fn a_mebibyte_that_goes_out_costs_few_allocations_and_system_calls() {
    run(async {
        let counted = Counted::start(Role::Store, &[("size", "67108864")]).await;
        let connector = &counted.connector;
        let get = || async { assert_eq!(connector.get([1; 32], Packfile).await.unwrap().len(), 64 * MIB) };
        counted.cost(64, get).await.is_within(40.0, 80.0);
    });
}

#[test]
fn parts_of_a_packfile_in_order_cost_few_calls_of_the_store_and_few_allocations() {
    run(async {
        const PARTS: usize = 5000;
        const PART: usize = 4096;
        let counted = Counted::start(Role::Store, &[]).await;
        let connector = &counted.connector;
        let get = || async {
            for i in 0..PARTS {
                let part = connector.get_part([1; 32], Packfile, Some(((i * PART) as u64, PART as u32))).await;
                assert_eq!(part.unwrap().len(), PART);
            }
        };
        let cost = counted.cost(PARTS, get).await;
        cost.is_within(14.9, 7.0);
        assert!(cost.gets * PARTS as f64 <= 30.0, "{cost:?}: 30 calls of the store are the budget for all");
    });
}

#[test]
fn a_mebibyte_that_comes_in_costs_few_allocations() {
    run(async {
        let counted = Counted::start(Role::Store, &[]).await;
        let (connector, content) = (&counted.connector, vec![1; 64 * MIB]);
        let put = || async { assert_eq!(connector.put_all([1; 32], Packfile, &content).await.unwrap(), 64 * MIB as i64) };
        counted.cost(64, put).await.is_within(240.0, f64::INFINITY);
    });
}

#[test]
fn storing_a_small_file_costs_few_allocations() {
    run(async {
        const FILES: usize = 2000;
        let counted = Counted::start(Role::Exporter, &[]).await;
        let connector = &counted.connector;
        let export = || async {
            let export = connector.export().await.unwrap();
            export.record(directory("/"));
            (0..FILES).for_each(|i| export.file(file(&format!("/{i:06}"), 4096), &[1; 4096]));
            assert_eq!(export.finish().await.unwrap().len(), FILES + 1);
        };
        counted.cost(FILES, export).await.is_within(25.9, f64::INFINITY);
    });
}
