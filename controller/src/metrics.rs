//! Numbers in Prometheus' text format, gathered from whoever counts when they are asked for.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The media type.
pub const MEDIA_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The labels of a family that has one.
pub type Label<T = &'static str> = [(&'static str, T); 1];

/// Something with numbers to show at `/metrics`.
pub trait Metrics: Send + Sync {
    /// Writes its families as they are now. Each is there from the start, whatever it has counted so far.
    fn write(&self, page: &mut Page<'_>) -> fmt::Result;
}

/// Where families are written to. Names of counters come without their `_total`.
pub struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    /// The same, by a label.
    pub fn gauges<T: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, T)>,
    ) -> fmt::Result {
        let gauges = values.into_iter().map(|(of, value)| (of, ConstGauge::new(value)));
        self.family(name, help, label, MetricType::Gauge, gauges)
    }

    /// A number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    /// The same, by a label.
    pub fn counters<T: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, T)>,
    ) -> fmt::Result {
        let counters = values.into_iter().map(|(of, value)| (of, ConstCounter::new(value)));
        self.family(name, help, label, MetricType::Counter, counters)
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        kind: MetricType,
        mut metrics: impl Iterator<Item = (&'static str, impl EncodeMetric)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        metrics.try_for_each(|(of, metric)| metric.encode(family.encode_family(&[(label, of)])?))
    }

    /// What counts by itself: histograms, and families whose labels are not known from the start.
    pub fn metric(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }
}

/// Durations from 50 ms to two minutes: from a wake on a warm instance to one that boots another.
pub fn seconds() -> Histogram {
    Histogram::new([
        0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
    ])
}

/// Durations from half a millisecond to half a minute: a plan alone, or one with its calls.
pub fn moments() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

/// Counts a duration.
pub fn observe(histogram: &Histogram, took: Duration) {
    histogram.observe(took.as_secs_f64());
}

/// What all of them have to show.
pub fn text<'a>(sources: impl IntoIterator<Item = &'a Arc<dyn Metrics>>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    for source in sources {
        registry.register_collector(Box::new(Source(Arc::clone(source))));
    }
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

struct Source(Arc<dyn Metrics>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Collector for Source {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.write(&mut Page(encoder))
    }
}
