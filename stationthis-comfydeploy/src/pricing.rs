//! What the service charges per second and GPU.

use serde_json::value::RawValue;
use stationthis_core::cost::{CardCostModel, RateCard, RateKey, Unit};
use stationthis_core::{Price, Result};
use std::collections::BTreeMap;

/// US dollars per second, as `GET /platform/gpu-pricing` of the public server answered in its revision of 2026-03-30.
/// H200 below H100 is what the service says.
const BUILTIN: [(&str, &str); 10] = [
    ("CPU", "0.000042"),
    ("T4", "0.00018"),
    ("L4", "0.00032"),
    ("A10G", "0.000337"),
    ("L40S", "0.000596"),
    ("A100", "0.00114"),
    ("A100-80GB", "0.001708"),
    ("H100", "0.002338"),
    ("H200", "0.001891"),
    ("B200", "0.002604"),
];

/// The most prices taken from a list: the service has ten GPUs.
const PRICES_MAX: usize = 200;

/// The arithmetic over the builtin prices.
pub(crate) fn model() -> Result<CardCostModel> {
    let mut card = RateCard::new("ComfyDeploy GPU pricing, 2026-03-30");
    for (gpu, price) in BUILTIN {
        card = card.with(RateKey::Resource(gpu.to_owned()), price.parse()?, Unit::Second);
    }
    Ok(CardCostModel::new(card))
}

/// The card of an answer of `GET /platform/gpu-pricing`, and a sentence for each price that cannot be read.
///
/// Prices are read from their text, so that `4.2e-05` stays exact.
pub(crate) fn card(body: &[u8]) -> serde_json::Result<(RateCard, Vec<String>)> {
    let prices: BTreeMap<String, &RawValue> = serde_json::from_slice(body)?;
    let mut card = RateCard::new("ComfyDeploy GPU pricing, live");
    let mut warnings = Vec::new();
    for (gpu, text) in prices.into_iter().take(PRICES_MAX) {
        match text.get().trim_matches('"').parse::<Price>() {
            Ok(price) if !gpu.is_empty() => card = card.with(RateKey::Resource(gpu), price, Unit::Second),
            _ => warnings.push(format!("The price of {gpu:?} cannot be read.")),
        }
    }
    Ok((card, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stationthis_core::cost::CostModel;

    #[test]
    fn the_builtin_card_has_ten_prices() {
        assert_eq!(model().unwrap().builtin_card().rates.len(), 10);
    }

    #[test]
    fn a_live_price_is_exact_and_a_bad_one_is_named() {
        let (card, warnings) =
            card(br#"{"CPU": 4.2e-05, "A10G": 0.000337, "T4": "0.00018", "X": null, "Y": -1}"#).unwrap();
        let price = |gpu: &str| card.rates[&RateKey::Resource(gpu.to_owned())].amount.to_string();
        assert_eq!(
            (price("CPU"), price("A10G"), price("T4")),
            ("0.000042".into(), "0.000337".into(), "0.00018".into())
        );
        assert_eq!((card.rates.len(), warnings.len()), (3, 2));
    }
}
