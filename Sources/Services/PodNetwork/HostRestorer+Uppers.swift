// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Netlink
import NetworkModel

/// Finds interfaces that a pod stacked on one of the host's and then hid in another network namespace: they would receive the next pod's
/// packets.
extension HostRestorer {
    mutating func findUpperInterfaces() throws(PodNetworkError) {
        let asked = items.filter { $0.record.hasNoUpper == true && UpperProbe.canAsk($0.link) }
        guard !asked.isEmpty, let upperProbe = host.upperProbe else { return }
        let answers = try HostNetwork.step(asked[0].name, "probe for upper interfaces") { () throws(NetlinkError) in
            try upperProbe.haveNoUpper(asked.map(\.link.index), host.socket)
        }
        for (item, answer) in zip(asked, answers) where answer != true {
            let cause =
                "an interface of another network namespace is stacked on this interface and receives its packets; end the processes of the pod that hold that namespace"
            problems.add(PodNetworkError(.stacked, item.name, "probe for upper interfaces", cause), to: item.device)
        }
    }

    mutating func findVLANs() throws(PodNetworkError) {
        let asked = items.filter { VLANSearch.canAsk($0.link, mtu: $0.record.mtu) }
        guard VLANSearch.isNeeded, !asked.isEmpty, let search = host.vlanSearch else { return }
        let step = "search for VLANs"
        let verdicts = try HostNetwork.step(asked[0].name, step) { () throws(NetlinkError) in
            try search.verdicts(asked.map(\.link.index), host.socket, waits: waits)
        }
        for (item, verdict) in zip(asked, verdicts) {
            switch verdict {
            case .none: continue
            case .pending: problems.add(PodNetworkError(.pending, item.name, step, "the search has not ended yet"), to: item.device)
            case .found(let tags):
                let list = tags.prefix(8).map(\.description).joined(separator: ", ") + (tags.count > 8 ? " and \(tags.count - 8) more" : "")
                let cause =
                    "VLAN \(list) of another network namespace is stacked on this interface, and sends and receives over it; end the processes of the pod that hold that namespace"
                problems.add(PodNetworkError(.stacked, item.name, step, cause), to: item.device)
            }
        }
    }
}
