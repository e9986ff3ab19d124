use super::*;
use crate::testing::{NOW, asleep, awake};

#[test]
fn services_in_columns() {
    let now = NOW.parse().unwrap();
    let mut forever = awake("b");
    forever.spec.idle_after = IdleAfter::Never;
    forever.status.activity.idle_at = None;
    let text = services(&[asleep("hello-world"), forever, awake("c")], now, false);
    assert_eq!(
        text,
        "\
NAME         STATE   READY  IDLE-IN  LAST-WAKE  AGE  URL
hello-world  Asleep  False  -        -          2h   http://hello-world.example.com:9060
b            Awake   True   never    5m         2h   http://b.example.com:9060
c            Awake   True   14m      5m         2h   http://c.example.com:9060
"
    );
}

#[test]
fn wide_has_more() {
    let mut labelled = asleep("a");
    labelled.metadata.labels = [("team", "web"), ("tier", "")].map(|(k, v)| (k.into(), v.into())).into();
    let text = services(&[labelled], NOW.parse().unwrap(), true);
    assert_eq!(
        text,
        "\
NAME  STATE   READY  IDLE-IN  LAST-WAKE  AGE  URL                        IN-FLIGHT  IMAGE    ADDRESS  PUBLIC  LABELS
a     Asleep  False  -        -          2h   http://a.example.com:9060  0          nginx:1  -        -       team=web,tier=
"
    );
}

#[test]
fn a_row_stays_one_line() {
    let mut table = Table::new(&["A", "B"]);
    table.row(vec!["1\n2".into(), "é".into()]);
    assert_eq!(table.render(), "A    B\n1 2  é\n");
}

#[test]
fn instances_in_columns() {
    let instance = InstanceView {
        id: "i-1".into(),
        lifecycle: Some("InService".into()),
        status: None,
        protected: true,
        tasks: 2,
        services: vec!["a".into(), "b".into()],
    };
    assert_eq!(
        instances(&[instance]),
        "\
INSTANCE  LIFECYCLE  STATUS  PROTECTED  TASKS  SERVICES
i-1       InService  -       True       2      a,b
"
    );
}
