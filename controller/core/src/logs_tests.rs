use super::*;
use crate::testing::scene::Scene;
use crate::testing::{at, secs};
use crate::view;
use dormouse_state::Cause;

fn event(id: &str, at: i64, stream: &str) -> Event {
    Event { id: id.into(), at, stream: stream.into(), message: format!("{id}\n") }
}

fn lines(events: &[Event], part: Part) -> Vec<Line> {
    events.iter().cloned().filter_map(|event| Line::of(event, part)).collect()
}

fn ids(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.id.as_str()).collect()
}

/// `hello`, asleep; woken and put to sleep at these seconds.
fn hello(woken: Option<i64>, slept: Option<i64>) -> ServiceView {
    let mut scene = Scene::asleep();
    let cause =
        |second| Cause { at: at(second), origin: "api".into(), reason: "r".into(), duration_ms: None };
    scene.record.last_wake = woken.map(cause);
    scene.record.last_sleep = slept.map(cause);
    view::service(&scene.settings, &scene.record, &scene.view(), scene.now)
}

#[test]
fn streams_are_those_of_the_part_and_of_no_other_service() {
    let image = ServiceSpec::defaults_for("i");
    let unnamed = ServiceSpec { task_definition: Some("own:3".into()), image: None, ..image.clone() };
    let named = ServiceSpec { container: Some("web".into()), ..unnamed.clone() };
    for (part, spec, prefix) in [
        (Part::All, &image, "shop/"),
        (Part::Proxy, &image, "shop/dormouse-proxy/"),
        (Part::Service, &image, "shop/dormouse-service/"),
        (Part::App, &image, "shop/app/"),
        (Part::App, &named, "shop/web/"),
        (Part::App, &unnamed, "shop/"),
        (Part::Service, &unnamed, "shop/dormouse-service/"),
    ] {
        assert_eq!(part.prefix("shop", spec), prefix, "{part:?}");
    }
}

#[test]
fn a_line_tells_container_and_task_and_has_no_end() {
    let line = Line::of(event("a", 1_500, "shop/dormouse-proxy/t0"), Part::All).unwrap();
    assert_eq!(
        (line.container.as_str(), line.task.as_str(), line.message.as_str(), line.at.to_string().as_str()),
        ("dormouse-proxy", "t0", "a", "1970-01-01T00:00:01.5Z")
    );
    assert_eq!(Line::of(event("a", 1, "shop/dormouse-proxy/t0"), Part::App), None, "ours is not the user's");
    assert!(Line::of(event("a", 1, "shop/web/t0"), Part::App).is_some());
    assert_eq!(Line::of(event("a", 1, "not-a-task"), Part::All), None);
}

#[test]
fn the_newest_lines_are_shown_by_time_and_each_once() {
    let events = [
        event("c", 3, "shop/app/t1"),
        event("a", 1, "shop/dormouse-proxy/t0"),
        event("d", 3, "shop/app/t1"),
        event("b", 2, "shop/dormouse-service/t1"),
        event("c", 3, "shop/app/t1"),
    ];
    for (most, shown, more) in [
        (9, &["a", "b", "c", "d"][..], false),
        (4, &["a", "b", "c", "d"], false),
        (2, &["c", "d"], true),
        (0, &[], true),
    ] {
        let (found, left) = newest(lines(&events, Part::All), most);
        assert_eq!((ids(&found), left), (shown.to_vec(), more), "{most}");
    }
}

#[test]
fn from_when_on_is_a_wake_a_duration_or_a_time() {
    for (text, since) in [
        ("wake", Some(Since::Wake)),
        ("previous-wake", Some(Since::PreviousWake)),
        ("1h30m", Some(Since::Ago(secs(5_400)))),
        ("2023-11-14T22:13:20Z", Some(Since::At(at(0)))),
        ("2023-11-14T23:13:20.5+01:00", Some(Since::At(at(0) + Duration::from_millis(500)))),
        ("yesterday", None),
        ("", None),
        ("2023-11-14", None),
    ] {
        assert_eq!(Since::parse(text), since, "{text:?}");
    }
}

#[test]
fn the_stretch_is_that_of_the_last_wake_unless_another_is_asked_for() {
    let woken = |second| EventView {
        service: "hello".into(),
        event: dormouse_state::Event { at: at(second), reason: "Woken".into(), message: "by api".into() },
    };
    let events = [woken(100), woken(300), woken(500)];
    let ms = |second| at(second).as_millisecond();
    for (last, since, expected) in [
        (Some(500), Since::Wake, Some((ms(500), None))),
        (None, Since::Wake, None),
        (Some(500), Since::PreviousWake, Some((ms(300), Some(ms(500))))),
        (Some(100), Since::PreviousWake, None),
        (None, Since::Ago(secs(60)), Some((ms(540), None))),
        (Some(500), Since::At(at(7)), Some((ms(7), None))),
        (None, Since::At(Timestamp::MIN), Some((0, None))),
        (None, Since::Ago(Duration::MAX), Some((0, None))),
    ] {
        let window = Window::of(&hello(last, None), &events, since, at(600));
        assert_eq!(window.map(|window| (window.from, window.to)), expected, "{last:?} {since:?}");
    }
}

#[test]
fn slices_are_the_whole_stretch_the_newest_first_and_ever_longer() {
    let now = Timestamp::from_millisecond(1_000_000).unwrap();
    let cut = |from, to| {
        let slices = Window { from, to }.slices(now);
        slices.map(|slice| (slice.from, slice.to)).collect::<Vec<_>>()
    };
    assert_eq!(
        cut(0, None),
        [(970_000, None), (730_000, Some(970_000)), (0, Some(730_000))],
        "what was written by now, whatever the clock there says"
    );
    assert_eq!(cut(0, Some(40_000)), [(10_000, Some(40_000)), (0, Some(10_000))]);
    assert_eq!(cut(990_000, None), [(990_000, None)]);
    assert_eq!(cut(2_000_000, None), [(2_000_000, None)], "in the future");
    assert_eq!(cut(1_000_000 - 100 * 86_400_000, None).len(), 7);
}

#[test]
fn who_sleeps_says_since_when() {
    let mut awake = hello(Some(100), None);
    awake.status.phase = Phase::Awake;
    for (view, expected) in [
        (hello(None, None), Some("hello is asleep, and was never awake".to_owned())),
        (hello(Some(100), Some(200)), Some(format!("hello is asleep since {}", at(200)))),
        (awake, None),
    ] {
        assert_eq!(asleep(&view), expected);
    }
}

#[test]
fn why_there_is_nothing_is_said() {
    let (never, image) = (hello(None, None), hello(Some(100), None));
    let mut own = image.clone();
    own.spec.task_definition = Some("own:3".into());
    let line = |container| lines(&[event("a", 1, &format!("hello/{container}/t"))], Part::All);
    let (app, sidecar) = (line("app"), line("dormouse-service"));
    let window = Some(Window { from: 0, to: None });
    let empty = Some("nothing was written in that time");
    let foreign = Some(
        "nothing of the containers of own:3: they are found here when it has them log (awslogs) to g with the stream \
         prefix hello",
    );
    let forgotten = Some("the wake before the last one is not remembered: ask for a time instead");
    for (view, part, window, lines, expected) in [
        (&never, Part::All, None, &[][..], None),
        (&image, Part::All, window, &app, None),
        (&image, Part::All, window, &[], empty),
        (&image, Part::All, None, &[], forgotten),
        (&own, Part::All, window, &sidecar, foreign),
        (&own, Part::App, window, &[], foreign),
        (&own, Part::All, window, &app, None),
        (&own, Part::Service, window, &[], empty),
    ] {
        let said = nothing(view, Found { group: "g", part, window, lines });
        assert_eq!(said.as_deref(), expected, "{part:?} {lines:?}");
    }
}

#[test]
fn what_is_shown_is_not_shown_again_however_late_another_comes() {
    let line = |id: &str, at| lines(&[event(id, at, "s/app/t")], Part::All);
    let mut tail = Tail::default();
    assert_eq!(tail.after(), None);
    assert_eq!(ids(&tail.fresh(line("a", 100_000))), ["a"]);
    assert_eq!(tail.after().map(Timestamp::as_millisecond), Some(85_000));
    assert!(tail.fresh(line("a", 100_000)).is_empty());
    assert_eq!(ids(&tail.fresh(line("late", 99_000))), ["late"]);
    assert_eq!(ids(&tail.fresh(line("b", 200_000))), ["b"]);
    assert_eq!(tail.shown.len(), 1, "what cannot come again is forgotten");
}
