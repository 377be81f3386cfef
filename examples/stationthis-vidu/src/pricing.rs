//! What a credit costs.

use crate::provider::SERVICE_NAME;
use stationthis_core::cost::{CardCostModel, RateCard, RateKey, Unit};
use stationthis_core::{Price, Result};

/// US dollars per credit, as the pricing page of the global platform was transcribed on 2026-08-13.
const BUILTIN: &str = "0.005";

/// The arithmetic over the account's price, else over the builtin one.
///
/// The platform for China has another price list in another currency, so without a price of the account's its tools
/// have none.
pub(crate) fn model(account: Option<Price>, is_china: bool) -> Result<CardCostModel> {
    let (source, price) = match account {
        Some(price) => ("the account's price per credit, as configured", Some(price)),
        None if is_china => ("no price is known in US dollars for api.vidu.cn", None),
        None => ("Vidu pricing page, 2026-08-13", Some(BUILTIN.parse()?)),
    };
    let card = RateCard::new(source);
    let key = RateKey::Resource(SERVICE_NAME.to_owned());
    Ok(CardCostModel::new(match price {
        Some(price) => card.with(key, price, Unit::Credit),
        None => card,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stationthis_core::cost::CostModel;

    #[test]
    fn a_price_is_the_accounts_else_the_platforms_else_unknown() {
        let price = |account: Option<&str>, is_china| {
            let card = model(account.map(|text| text.parse().unwrap()), is_china).unwrap().builtin_card();
            card.rates.values().next().map(|rate| rate.amount.to_string())
        };
        assert_eq!(price(None, false).as_deref(), Some("0.005"));
        assert_eq!(price(Some("0.0045"), false).as_deref(), Some("0.0045"));
        assert_eq!((price(None, true), price(Some("0.004"), true).as_deref()), (None, Some("0.004")));
    }
}
