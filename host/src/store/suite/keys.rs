//! Addresses: bytes are in the order of what they stand for, and no list can
//! reach into another.

use proptest::prelude::*;

use super::super::{Key, Prefix};
use segno_engine::id::{RunId, TenantId};
use segno_engine::signal::Scalar;

/// Few letters, so that names often contain each other.
fn tenants() -> impl Strategy<Value = TenantId> {
    "[a0][ab0-]{0,3}".prop_map(|name| name.parse().unwrap())
}

fn names() -> impl Strategy<Value = String> {
    "[ab !~é]{1,4}"
}

/// Small differences anywhere, and the ends of the range.
fn runs() -> impl Strategy<Value = RunId> {
    prop_oneof![
        any::<[u8; 16]>(),
        (0..16_usize, any::<u8>()).prop_map(|(at, byte)| {
            let mut run = [0; 16];
            run[at] = byte;
            run
        }),
        Just([0xff; 16]),
    ]
    .prop_map(RunId::from_bytes)
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, any::<u64>(), Just(u64::MAX)]
}

proptest! {
    #[test]
    fn the_order_of_bytes_is_the_order_of_parts(
        a in (tenants(), names(), runs(), numbers()),
        b in (tenants(), names(), runs(), numbers()),
    ) {
        let (ta, na, ra, ia) = &a;
        let (tb, nb, rb, ib) = &b;
        prop_assert_eq!(
            Key::event(ta, *ra, *ia).cmp(&Key::event(tb, *rb, *ib)),
            (ta, ra, ia).cmp(&(tb, rb, ib))
        );
        prop_assert_eq!(
            Key::version(ta, na, *ia).unwrap().cmp(&Key::version(tb, nb, *ib).unwrap()),
            (ta, na, ia).cmp(&(tb, nb, ib))
        );
        prop_assert_eq!(
            Key::tick(ta, na, *ia).unwrap().cmp(&Key::tick(tb, nb, *ib).unwrap()),
            (ta, na, ia).cmp(&(tb, nb, ib))
        );
        prop_assert_eq!(
            Key::component(ta, na, nb).unwrap().cmp(&Key::component(tb, nb, na).unwrap()),
            (ta, na, nb).cmp(&(tb, nb, na))
        );
        prop_assert_eq!(
            Key::signal(ta, na, *ia).unwrap().cmp(&Key::signal(tb, nb, *ib).unwrap()),
            (ta, na, ia).cmp(&(tb, nb, ib))
        );
        prop_assert_eq!(
            Key::run_signal(ta, *ra, *ia).cmp(&Key::run_signal(tb, *rb, *ib)),
            (ta, ra, ia).cmp(&(tb, rb, ib))
        );
        prop_assert_eq!(
            Key::value(ta, na, nb).unwrap().cmp(&Key::value(tb, nb, na).unwrap()),
            (ta, na, nb).cmp(&(tb, nb, na))
        );
        prop_assert_eq!(
            Key::workflow_change(ta, na, *ia).unwrap()
                .cmp(&Key::workflow_change(tb, nb, *ib).unwrap()),
            (ta, na, ia).cmp(&(tb, nb, ib))
        );
        prop_assert_eq!(
            Key::breakpoint(ta, na, nb).unwrap().cmp(&Key::breakpoint(tb, nb, na).unwrap()),
            (ta, na, nb).cmp(&(tb, nb, na))
        );
        prop_assert_eq!(Key::run(ta, *ra).cmp(&Key::run(tb, *rb)), (ta, ra).cmp(&(tb, rb)));
        prop_assert_eq!(
            Key::run_by_workflow(ta, na, *ia).unwrap()
                .cmp(&Key::run_by_workflow(tb, nb, *ib).unwrap()),
            (ta, na, std::cmp::Reverse(ia)).cmp(&(tb, nb, std::cmp::Reverse(ib)))
        );
    }

    #[test]
    fn a_list_holds_its_own_rows_and_no_other(
        a in (tenants(), names(), runs(), numbers()),
        b in (tenants(), names(), runs(), numbers()),
    ) {
        let (ta, na, ra, _) = &a;
        let (tb, nb, rb, ib) = &b;
        let holds = |prefix: Prefix, key: &Key| {
            let (low, high) = prefix.bounds();
            (low.as_slice()..high.as_slice()).contains(&key.as_bytes())
        };
        let same_tenant = ta == tb;
        let event = Key::event(tb, *rb, *ib);
        prop_assert_eq!(holds(Prefix::events(ta, *ra), &event), same_tenant && ra == rb);
        prop_assert!(!holds(Prefix::logs(ta, *ra), &event));
        let version = Key::version(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::versions(ta, na).unwrap(), &version),
            same_tenant && na == nb
        );
        let change = Key::workflow_change(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::workflow_changes(ta, na).unwrap(), &change),
            same_tenant && na == nb
        );
        let blocker = Key::blocker(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::blockers(ta, na).unwrap(), &blocker),
            same_tenant && na == nb
        );
        let breakpoint = Key::breakpoint(tb, nb, na).unwrap();
        prop_assert_eq!(
            holds(Prefix::breakpoints(ta, na).unwrap(), &breakpoint),
            same_tenant && na == nb
        );
        prop_assert_eq!(holds(Prefix::all_breakpoints(ta), &breakpoint), same_tenant);
        prop_assert_eq!(holds(Prefix::tag_limits(ta), &breakpoint), false);
        let delivery = Key::delivery(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::deliveries(ta, na).unwrap(), &delivery),
            same_tenant && na == nb
        );
        let webhook = Key::webhook(tb, nb).unwrap();
        prop_assert_eq!(holds(Prefix::webhooks(ta), &webhook), same_tenant);
        prop_assert!(!holds(Prefix::webhooks(ta), &delivery));
        let component = Key::component(tb, nb, na).unwrap();
        prop_assert_eq!(
            holds(Prefix::component(ta, na).unwrap(), &component),
            same_tenant && na == nb
        );
        prop_assert_eq!(holds(Prefix::components(ta), &component), same_tenant);
        let of_workflow = Key::run_by_workflow(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::runs_by_workflow(ta, na).unwrap(), &of_workflow),
            same_tenant && na == nb
        );
        let tick = Key::tick(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::ticks(ta, na).unwrap(), &tick),
            same_tenant && na == nb
        );
        prop_assert!(!holds(Prefix::schedules(ta), &tick));
        prop_assert!(!holds(Prefix::backfills(ta, na).unwrap(), &tick));
        let signal = Key::signal(tb, nb, *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::signals(ta, na).unwrap(), &signal),
            same_tenant && na == nb
        );
        let param = |name| ("p", Scalar::Text(String::from(name)));
        let ((name, asked), (_, value)) = (param(na.as_str()), param(nb.as_str()));
        let by_param = Key::signal_param(tb, na, (name, &value), *ib).unwrap();
        prop_assert_eq!(
            holds(Prefix::signals_by_param(ta, na, (name, &asked)).unwrap(), &by_param),
            same_tenant && asked == value
        );
        prop_assert_eq!(
            holds(Prefix::run_signals(ta, *ra), &Key::run_signal(tb, *rb, *ib)),
            same_tenant && ra == rb
        );
        prop_assert!(!holds(Prefix::signal_names(ta), &signal));
        let behind = Key::end_of(ta);
        prop_assert_eq!(event <= behind, tb <= ta);
        prop_assert_eq!(&event.tenant().unwrap(), tb);
    }
}
