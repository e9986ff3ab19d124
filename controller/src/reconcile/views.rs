//! What those who watch were told last of each service, to tell changes by.

use super::packed::Packed;
use dormouse_core::view::ServiceView;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The last view of a service. Of one that is sound asleep it is a few bytes, as its record is.
enum Told {
    Whole(Arc<ServiceView>),
    Packed(Packed<ServiceView>),
}

impl Told {
    fn of(view: &Arc<ServiceView>, is_sound: bool) -> Told {
        match is_sound.then(|| Packed::of(&**view)).flatten() {
            Some(packed) => Told::Packed(packed),
            None => Told::Whole(view.clone()),
        }
    }

    fn view(self) -> Option<ServiceView> {
        match self {
            Told::Whole(view) => Some(Arc::unwrap_or_clone(view)),
            Told::Packed(packed) => packed.unpack(),
        }
    }

    fn says(&self, view: &ServiceView) -> bool {
        match self {
            Told::Whole(told) => **told == *view,
            Told::Packed(packed) => packed.unpack().is_some_and(|told| told == *view),
        }
    }
}

/// The last view of each service.
#[derive(Default)]
pub(super) struct Views(BTreeMap<Box<str>, Told>);

impl Views {
    /// A view is to be told; answers whether it is news.
    pub(super) fn tell(&mut self, view: &Arc<ServiceView>, is_sound: bool) -> bool {
        let name = view.metadata.name.as_str();
        let is_news = self.0.get(name).is_none_or(|told| !told.says(view));
        if is_news {
            self.0.insert(name.into(), Told::of(view, is_sound));
        }
        is_news
    }

    /// A service is gone; answers what was told of it last.
    pub(super) fn take(&mut self, name: &str) -> Option<ServiceView> {
        self.0.remove(name)?.view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{asleep, awake};

    #[test]
    fn what_differs_from_what_was_told_last_is_news_packed_or_not() {
        let [first, other] = ["a", "b"].map(|label| {
            let mut view = asleep("shop");
            view.metadata.labels.insert("team".into(), label.into());
            Arc::new(view)
        });
        for was_sound in [false, true] {
            for is_sound in [false, true] {
                let mut views = Views::default();
                assert!(views.tell(&first, was_sound));
                assert!(!views.tell(&first, is_sound) && views.tell(&other, is_sound));
                assert!(!views.tell(&other, was_sound) && views.tell(&first, was_sound));
                assert_eq!(views.take("shop"), Some((*first).clone()));
                assert_eq!(views.take("shop"), None);
            }
        }
    }

    #[test]
    fn of_one_that_is_sound_asleep_few_bytes_are_kept() {
        let bytes = |view: ServiceView, is_sound| match Told::of(&Arc::new(view), is_sound) {
            Told::Packed(packed) => Some(packed.bytes()),
            Told::Whole(_) => None,
        };
        let packed = bytes(asleep("service-00042"), true).unwrap();
        assert!(packed < 400, "{packed}");
        assert_eq!(bytes(awake("service-00042"), false), None);
    }
}
