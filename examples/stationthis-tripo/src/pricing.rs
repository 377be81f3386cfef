//! What a credit costs.

use crate::provider::SERVICE_NAME;
use stationthis_core::cost::{CardCostModel, RateCard, RateKey, Unit};
use stationthis_core::{Price, Result};

/// US dollars for a credit, by the price pages of August to October 2026.
const LIST_PRICE: &str = "0.01";

/// The arithmetic over the price of a credit: as given, else the list price. How many credits a run takes is the tool's
/// table before, and the service's count after.
pub(crate) fn model(price_per_credit: Option<Price>) -> Result<CardCostModel> {
    let (price, source) = match price_per_credit {
        Some(price) => (price, "price of a Tripo credit, as configured"),
        None => (LIST_PRICE.parse()?, "Tripo list price of a credit, August to October 2026"),
    };
    let key = RateKey::Resource(SERVICE_NAME.to_owned());
    Ok(CardCostModel::new(RateCard::new(source).with(key, price, Unit::Credit)))
}
