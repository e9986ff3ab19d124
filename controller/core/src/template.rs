//! Services that nobody declares: made from a template when somebody asks for them, kept in step with it, and deleted
//! some time after their last sleep.

use crate::intent;
use dormouse_manifests::{ServiceTemplate, format_duration, template_for};
use dormouse_state::{Desired, KnownTemplate, MadeFrom, ServiceRecord, Templates, planted};
use jiff::Timestamp;

/// Why no service is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// There are as many of the template as there may be.
    #[error("the template `{template}` has made {max} services, and makes no more (spec.max)")]
    Full {
        /// The template.
        template: String,
        /// Its limit.
        max: u32,
    },
    /// What it would become is not valid.
    #[error("the template `{template}` makes no valid service of it: {why}")]
    Invalid {
        /// The template.
        template: String,
        /// In words.
        why: String,
    },
}

/// The templates after one was declared; `None`: nothing changes.
pub fn declare(known: &Templates, manifest: &ServiceTemplate, now: Timestamp) -> Option<Templates> {
    let name = &manifest.metadata.name;
    let before = known.by_name.get(name);
    if before.is_some_and(|before| before.manifest == *manifest) {
        return None;
    }
    let mut next = known.clone();
    next.changes += 1;
    let created_at = before.map_or(now, |before| before.created_at);
    let template = KnownTemplate { manifest: manifest.clone(), change: next.changes, created_at };
    next.by_name.insert(name.clone(), template);
    Some(next)
}

/// The templates after one was deleted; `None`: there is none of this name.
pub fn delete(known: &Templates, name: &str) -> Option<Templates> {
    let mut next = known.clone();
    next.by_name.remove(name)?;
    next.changes += 1;
    Some(next)
}

/// The template that is for a name.
pub fn of<'t>(templates: &'t Templates, name: &str) -> Option<&'t KnownTemplate> {
    let manifests = templates.by_name.values().map(|template| &template.manifest);
    let name = &template_for(manifests, name)?.metadata.name;
    templates.by_name.get(name)
}

/// The service of a name that a template is for, asleep. `known`: what is left of one that is being deleted; `others`:
/// how many services of the template there are beside it.
///
/// # Errors
/// When there may be no more of them, or it would not be valid.
pub fn make(
    template: &KnownTemplate,
    name: &str,
    known: Option<&ServiceRecord>,
    others: usize,
    now: Timestamp,
) -> Result<ServiceRecord, NotMade> {
    let (title, max) = (&template.manifest.metadata.name, template.manifest.spec.max);
    if usize::try_from(max).is_ok_and(|max| others >= max) && !planted!(TemplatesMakeAnyNumber) {
        return Err(NotMade::Full { template: title.clone(), max });
    }
    let manifest =
        template.manifest.service(name).map_err(|why| NotMade::Invalid { template: title.clone(), why })?;
    let made = intent::declare(known, &manifest, now).or_else(|| known.cloned());
    let mut made = made.unwrap_or_else(|| {
        ServiceRecord::declared(name, manifest.metadata.labels.clone(), manifest.spec.clone(), now)
    });
    made.made_from = Some(made_from(template));
    made.note(now, "Made", format!("made from the template `{title}`"));
    Ok(made)
}

fn made_from(template: &KnownTemplate) -> MadeFrom {
    MadeFrom {
        template: template.manifest.metadata.name.clone(),
        change: template.change,
        expire_after: template.manifest.spec.expire_after,
        orphaned: false,
    }
}

/// A service after its template has changed, or is gone; `None`: nothing changes. What its template is no longer for
/// stays as it is until it expires.
pub fn follow(record: &ServiceRecord, templates: &Templates, now: Timestamp) -> Option<ServiceRecord> {
    let from = record.made_from.as_ref().filter(|_| !record.deleting)?;
    let Some(template) = templates.by_name.get(&from.template) else {
        if from.orphaned {
            return None;
        }
        let mut next = record.clone();
        next.made_from = Some(MadeFrom { orphaned: true, ..from.clone() });
        let after = format_duration(from.expire_after);
        let message = format!(
            "the template `{}` was deleted; this stays until {after} after its last sleep",
            from.template
        );
        next.note(now, "TemplateDeleted", message);
        return Some(next);
    };
    if from.change == template.change && !from.orphaned {
        return None;
    }
    let mut next = match template.manifest.service(&record.name) {
        Ok(manifest) => {
            // It changes hands to nobody.
            let own = ServiceRecord { made_from: None, ..record.clone() };
            intent::declare(Some(&own), &manifest, now).unwrap_or(own)
        }
        Err(why) => {
            let mut next = record.clone();
            let message =
                format!("the template `{}` has changed, and this stays as it is: {why}", from.template);
            next.note(now, "TemplateChanged", message);
            next
        }
    };
    next.made_from = Some(made_from(template));
    Some(next)
}

/// When a service of a template is deleted if nobody wakes it; `None`: not while it is awake, or never.
pub fn expires_at(record: &ServiceRecord) -> Option<Timestamp> {
    if planted!(TemplatesStay) {
        return None;
    }
    let from = record.made_from.as_ref().filter(|_| !record.deleting && record.desired == Desired::Asleep)?;
    // One that is on its way to sleep is not asleep yet.
    let slept = record.pairs().next().is_none().then_some(record.last_sleep.as_ref())?;
    Some(intent::later(slept.map_or(record.created_at, |sleep| sleep.at), from.expire_after))
}

/// A service whose time is over.
pub fn expire(record: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    let from = record.made_from.as_ref()?;
    expires_at(record).filter(|at| *at <= now)?;
    let mut next = record.clone();
    let after = format_duration(from.expire_after);
    next.note(
        now,
        "Expired",
        format!("asleep for {after} (expireAfter of the template `{}`)", from.template),
    );
    intent::delete(&next, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, secs};
    use dormouse_manifests::{Service, ServiceSpec};

    fn template(name: &str, pattern: &str) -> ServiceTemplate {
        let mut template = ServiceTemplate::new(name, pattern, ServiceSpec::defaults_for("shop:{match}"));
        template.spec.expire_after = secs(100);
        template.spec.max = 2;
        template
    }

    fn known(all: &[ServiceTemplate]) -> Templates {
        all.iter().fold(Templates::default(), |known, one| declare(&known, one, at(0)).unwrap())
    }

    fn made(templates: &Templates, name: &str) -> ServiceRecord {
        make(of(templates, name).unwrap(), name, None, 0, at(0)).unwrap()
    }

    /// Woken, and put to sleep.
    fn used(record: &ServiceRecord, slept: i64) -> ServiceRecord {
        let woken = intent::wake(record, "request", "", None, at(slept)).unwrap().unwrap();
        let mut slept = intent::sleep(&woken, "idle", "", None, at(slept)).unwrap();
        slept.rest = None;
        slept
    }

    fn reasons(record: &ServiceRecord) -> Vec<&str> {
        record.events.iter().map(|event| event.reason.as_str()).collect()
    }

    #[test]
    fn every_change_has_a_number_of_its_own() {
        let one = known(&[template("a", "a-*")]);
        assert_eq!(declare(&one, &template("a", "a-*"), at(9)), None);
        let gone = delete(&one, "a").unwrap();
        assert_eq!((gone.changes, gone.by_name.len(), delete(&gone, "a")), (2, 0, None));
        let back = declare(&gone, &template("a", "a-*"), at(9)).unwrap();
        assert_eq!((back.by_name["a"].change, back.by_name["a"].created_at), (3, at(9)));
    }

    #[test]
    fn a_service_is_made_of_its_name_and_no_more_than_there_may_be() {
        let templates = known(&[template("preview", "preview-*")]);
        let service = made(&templates, "preview-42");
        assert_eq!(service.spec.image.as_deref(), Some("shop:42"));
        assert_eq!((service.desired, service.generation), (Desired::Asleep, 1));
        assert_eq!(service.made_from.as_ref().unwrap().template, "preview");
        assert_eq!(reasons(&service), ["Declared", "Made"]);
        let preview = of(&templates, "preview-43").unwrap();
        assert!(make(preview, "preview-43", None, 1, at(0)).is_ok());
        let full = make(preview, "preview-43", None, 2, at(0)).unwrap_err();
        assert_eq!(full, NotMade::Full { template: "preview".into(), max: 2 });
        assert_eq!(of(&templates, "other"), None);
    }

    #[test]
    fn one_that_is_being_deleted_is_made_anew() {
        let templates = known(&[template("preview", "preview-*")]);
        let going = intent::delete(&made(&templates, "preview-42"), at(5)).unwrap();
        let back = make(of(&templates, "preview-42").unwrap(), "preview-42", Some(&going), 0, at(6)).unwrap();
        assert_eq!((back.deleting, back.generation), (false, 2));
    }

    #[test]
    fn who_declares_it_takes_it_over() {
        let templates = known(&[template("preview", "preview-*")]);
        let service = made(&templates, "preview-42");
        let manifest = Service::new("preview-42", service.spec.clone().into_inner());
        let taken = intent::declare(Some(&service), &manifest, at(1)).unwrap();
        assert_eq!((&taken.made_from, taken.generation), (&None, 1), "the same spec: nothing rolls out");
        assert_eq!(follow(&taken, &Templates::default(), at(2)), None);
        assert_eq!(expires_at(&used(&taken, 5)), None);
    }

    #[test]
    fn services_follow_their_template() {
        let before = known(&[template("preview", "preview-*")]);
        let service = made(&before, "preview-42");
        assert_eq!(follow(&service, &before, at(1)), None);
        let mut changed = template("preview", "preview-*");
        changed.spec.template.port = 80;
        let after = declare(&before, &changed, at(1)).unwrap();
        let next = follow(&service, &after, at(1)).unwrap();
        assert_eq!((next.generation, next.spec.port), (2, 80));
        assert_eq!(follow(&next, &after, at(2)), None);
        // What is no matter of its tasks is no new generation.
        changed.spec.expire_after = secs(7);
        let last = follow(&next, &declare(&after, &changed, at(2)).unwrap(), at(2)).unwrap();
        assert_eq!((last.generation, last.made_from.unwrap().expire_after), (2, secs(7)));
    }

    #[test]
    fn what_a_template_is_no_longer_for_stays_as_it_is() {
        let before = known(&[template("preview", "preview-*")]);
        let service = made(&before, "preview-42");
        let after = declare(&before, &template("preview", "review-*"), at(1)).unwrap();
        let next = follow(&service, &after, at(1)).unwrap();
        assert_eq!((next.generation, &next.spec), (1, &service.spec));
        assert_eq!(reasons(&next).last(), Some(&"TemplateChanged"));
        assert_eq!(follow(&next, &after, at(2)), None, "said once");
    }

    #[test]
    fn services_outlive_their_template_until_they_expire() {
        let before = known(&[template("preview", "preview-*")]);
        let gone = delete(&before, "preview").unwrap();
        let next = follow(&used(&made(&before, "preview-42"), 10), &gone, at(11)).unwrap();
        assert_eq!(reasons(&next).last(), Some(&"TemplateDeleted"));
        assert_eq!((follow(&next, &gone, at(12)), expires_at(&next)), (None, Some(at(110))));
        let back = declare(&gone, &template("preview", "preview-*"), at(20)).unwrap();
        assert!(!follow(&next, &back, at(21)).unwrap().made_from.unwrap().orphaned);
    }

    #[test]
    fn it_expires_after_its_last_sleep() {
        let service = made(&known(&[template("preview", "preview-*")]), "preview-42");
        let awake = intent::wake(&service, "request", "", None, at(500)).unwrap().unwrap();
        for (record, expected) in [
            (service.clone(), Some(at(100))),
            (used(&service, 10), Some(at(110))),
            (used(&used(&service, 10), 60), Some(at(160))),
            (awake, None),
            (intent::delete(&service, at(1)).unwrap(), None),
        ] {
            assert_eq!(expires_at(&record), expected);
        }
        let slept = used(&service, 10);
        assert_eq!(expire(&slept, at(109)), None);
        let gone = expire(&slept, at(110)).unwrap();
        assert!(gone.deleting);
        assert_eq!(reasons(&gone)[reasons(&gone).len() - 2..], ["Expired", "Deleting"]);
    }
}
