use std::sync::mpsc;

use super::*;

struct Counting {
    reads: u32,
    stop: StopSignal,
}

impl LaneReader for Counting {
    fn in_one_snapshot(&mut self, reads: impl FnOnce(&mut Self)) {
        reads(self);
    }

    fn obey(&mut self, stop: StopSignal) {
        self.stop = stop;
    }
}

/// One thread a lane.
fn readers(waiting: usize, within: Duration) -> Readers<Counting> {
    let lane = || {
        let stop = StopSignal::at(Instant::now());
        (vec![Counting { reads: 0, stop }], LaneBounds { waiting, within })
    };
    Readers::start([lane(), lane(), lane(), lane(), lane()]).unwrap()
}

const LONG: Duration = Duration::from_secs(60);

fn load(readers: &Readers<Counting>) -> LaneLoad {
    readers.loads()[ReadClass::Long as usize]
}

#[tokio::test]
async fn a_read_that_panics_fails_alone() {
    let readers = readers(10, LONG);
    for n in 0..3 {
        let found = readers.run::<()>(ReadClass::LookUp, |_| panic!("provoked")).await;
        assert!(found.unwrap_err().to_string().contains("panicked"));
        assert_eq!(readers.run(ReadClass::LookUp, move |_| Ok(n)).await.unwrap(), n, "the thread goes on");
    }
}

#[tokio::test]
async fn a_read_ends_at_its_time_limit_and_so_do_those_behind_it() {
    let readers = readers(10, Duration::from_millis(50));
    let (go_on, held) = mpsc::channel::<()>();
    let hanging = readers.run(ReadClass::Long, move |_| Ok(held.recv().is_err()));
    assert!(matches!(hanging.await, Err(Error::Interrupted)));
    let late = readers.run::<()>(ReadClass::Long, |reader| {
        reader.reads += 1;
        Ok(())
    });
    assert!(matches!(late.await, Err(Error::Interrupted)));
    assert_eq!(load(&readers).timed_out, 2);
    drop(go_on);
    let reads = loop {
        if let Ok(reads) = readers.run(ReadClass::Long, |reader| Ok(reader.reads)).await {
            break reads;
        }
    };
    assert_eq!(reads, 0, "nobody waited for the one behind it any more");
}

#[tokio::test]
async fn a_full_lane_refuses_and_holds_up_no_other() {
    let readers = readers(1, LONG);
    let (go_on, held) = mpsc::channel::<()>();
    let (one, two) = (readers.begin(ReadClass::Long).unwrap(), readers.begin(ReadClass::Long).unwrap());
    let hanging = tokio::spawn(async move { one.run(move |_| Ok(held.recv().is_err())).await });
    assert!(matches!(readers.begin(ReadClass::Long), Err(Error::Busy)));
    for class in [ReadClass::Probe, ReadClass::LookUp, ReadClass::Feed] {
        assert_eq!(readers.run(class, |_| Ok(7)).await.unwrap(), 7, "{class:?}");
    }
    assert_eq!(load(&readers).refused, 1);
    drop(two);
    assert!(readers.begin(ReadClass::Long).is_ok(), "a place that was given back");
    drop(go_on);
    assert!(hanging.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_read_whose_caller_disconnects_is_stopped_and_frees_its_place() {
    let readers = readers(0, LONG);
    let (ended, end) = oneshot::channel();
    let reading = readers.begin(ReadClass::Long).unwrap();
    let caller = tokio::spawn(async move {
        let wait = |reader: &mut Counting| {
            while !reader.stop.is_raised() {
                thread::yield_now();
            }
            _ = ended.send(());
            Ok(())
        };
        reading.run(wait).await
    });
    while load(&readers).running == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    end.await.unwrap();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(readers.run(ReadClass::Long, |_| Ok(7)).await.unwrap(), 7);
    let LaneLoad { waiting, answered, hung_up, .. } = load(&readers);
    assert_eq!((waiting, answered, hung_up), (0, 1, 1));
}
