use super::*;

fn id(number: u16) -> ConnectionId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    ConnectionId::from_bytes(bytes)
}

fn at(seconds: i64) -> Time {
    Time::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

#[test]
fn what_moved_is_seen_in_its_span_and_forgotten_in_the_end() {
    let rates = Rates::default();
    let way = (id(1), Direction::Export);
    rates.moved(way, (10, 1_000), at(0));
    rates.moved(way, (5, 500), at(1));
    rates.moved(way, (7, 70), at(6));
    let now = rates.of(way, at(6));
    assert_eq!(now.spans.len(), SPANS);
    assert_eq!(
        now.spans[SPANS - 2..],
        [
            Moved {
                objects: 15,
                bytes: 1_500
            },
            Moved {
                objects: 7,
                bytes: 70
            }
        ]
    );
    // Two spans, of which the present one is a second old.
    assert_eq!(now.per_second.objects, 4);
    assert!(now.is_moving());
    assert_eq!(rates.all(at(6)).len(), 1);
    let rests = rates.of(way, at(60));
    assert!(!rests.is_moving());
    assert_eq!(rests.spans.iter().map(|span| span.objects).sum::<u64>(), 22);
    assert!(rates.all(at(60)).is_empty());
    assert_eq!(rates.of(way, at(1_000)), Throughput::default());
    assert_eq!(rates.of((id(1), Direction::Import), at(6)), Throughput::default());
}

#[test]
fn a_clock_that_was_set_back_loses_nothing() {
    let rates = Rates::default();
    let way = (id(1), Direction::Import);
    rates.moved(way, (1, 1), at(100));
    rates.moved(way, (1, 1), at(50));
    let seen = rates.of(way, at(101));
    assert_eq!(seen.spans.last().map(|span| span.objects), Some(2));
}

#[test]
fn however_many_move_there_is_a_bound() {
    let rates = Rates::default();
    for number in 0..5_000 {
        rates.moved(
            (id(number), Direction::Export),
            (1, 1),
            at(i64::from(number) / 100),
        );
    }
    assert_eq!(rates.lock().len(), RINGS_MAX);
    rates.moved((id(6_000), Direction::Export), (1, 1), at(2_000));
    assert_eq!(rates.lock().len(), 1, "what rests is forgotten");
}
