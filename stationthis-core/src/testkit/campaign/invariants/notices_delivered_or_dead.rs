//! Every destination of an ended task was told, under one id, or its notice is a dead letter.

use std::collections::BTreeSet;

use crate::store::NoticeState;
use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::receiver::Address;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, task) in &evidence.tasks {
        let notices = evidence.notices.get(id).map_or(&[][..], Vec::as_slice);
        let told = evidence.told.get(id).map_or(&[][..], Vec::as_slice);
        for target in &task.notify {
            let of_target: Vec<_> = notices.iter().filter(|notice| notice.target == *target).collect();
            let [notice] = of_target.as_slice() else {
                broken.push(format!("{id}: {} notices for {}", of_target.len(), target.address));
                continue;
            };
            let arrived: Vec<_> = told.iter().filter(|one| one.address == target.address).collect();
            let ids: BTreeSet<_> = arrived.iter().map(|one| one.id).collect();
            match notice.state {
                NoticeState::Delivered if arrived.is_empty() => {
                    broken.push(format!("{id}: it counts as told to {}, who heard nothing", target.address));
                }
                NoticeState::Dead if target.address == Address::Good.name() => {
                    broken.push(format!("{id}: it was given up for {}, who listens", target.address));
                }
                NoticeState::Pending => broken.push(format!("{id}: {} waits to be told", target.address)),
                NoticeState::Delivered | NoticeState::Dead => {}
            }
            if ids.iter().any(|told| *told != notice.id) {
                broken.push(format!("{id}: {} was told under several ids", target.address));
            }
            if arrived.iter().any(|one| one.status != task.state.status) {
                broken.push(format!("{id}: {} was told of another end", target.address));
            }
        }
        if notices.len() != task.notify.len() {
            broken.push(format!("{id}: {} notices for {} destinations", notices.len(), task.notify.len()));
        }
    }
    broken
}
