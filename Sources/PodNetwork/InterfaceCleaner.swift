// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Linux
import Netlink

/// Removes from interfaces what a pod can leave on them and a move between namespaces keeps, in the namespace of the calling thread.
///
/// What the record of the host has stays. Queueing disciplines, filters, packet sockets, addresses, routes, multicast addresses and rules of
/// nftables are not here: the kernel removes them with every move.
struct InterfaceCleaner {
    /// A socket of the same namespace.
    let socket: NetlinkSocket

    struct Item {
        var device: String
        var record: HostRecord
        var link: Link
    }

    private struct Step {
        var item: Item
        var name: String
        var request: NetlinkRequest
        /// Errors that are no failure.
        var harmless: [Int32] = []
        /// A program that netlink may refuse to detach.
        var program: UInt32?
    }

    /// - Parameters:
    ///   - links: all interfaces of the namespace, of which those that are stacked on an item are deleted.
    ///   - kept: numbers of interfaces that are not to be deleted.
    /// - Returns: the first step that failed, by device.
    func clean(_ items: [Item], among links: [Link] = [], keeping kept: Set<Int32> = []) -> [String: PodNetworkError] {
        var problems: [String: PodNetworkError] = [:]
        let steps = items.flatMap { item in
            deleteUppers(item, links, kept) + deleteNames(item) + detachXDP(item) + resetCarrier(item)
        }
        do throws(PodNetworkError) { try execute(steps, &problems) } catch { for item in items { problems[item.device] = error } }
        for item in items {
            do throws(SystemError) {
                try InterfaceHooks.detachAll(from: item.link.index, except: item.record.hookPrograms ?? [])
            } catch { problems[item.device] = problems[item.device] ?? PodNetworkError(item.record.name, "detach programs (TCX)", error) }
        }
        return problems
    }

    private func execute(_ steps: [Step], _ problems: inout [String: PodNetworkError]) throws(PodNetworkError) {
        guard let first = steps.first else { return }
        let failures = try HostNetwork.step(first.item.record.name, first.name) { () throws(NetlinkError) in
            try socket.execute(all: steps.map(\.request))
        }
        for failure in failures {
            let step = steps[failure.index]
            if step.harmless.contains(failure.error.code) { continue }
            var problem = PodNetworkError(step.item.record.name, step.name, failure.error)
            if let program = step.program, failure.error.code == EBUSY {
                do throws(SystemError) {
                    try InterfaceHooks.detachXDPLinks(of: program, from: step.item.link.index)
                    continue
                } catch { problem.reason = "\(error)" }
            }
            problems[step.item.device] = problems[step.item.device] ?? problem
        }
    }

    // MARK: Steps

    /// Macvlans, VLANs and the like go on receiving the packets of an interface below them, wherever that moves.
    private func deleteUppers(_ item: Item, _ links: [Link], _ kept: Set<Int32>) -> [Step] {
        links.filter { upper in
            // The two ends of a veth name each other. The number of one in another namespace says nothing here.
            let isPeer = item.link.linkNamespace == nil && upper.index == item.link.link
            return upper.link == item.link.index && upper.linkNamespace == nil && !isPeer && upper.index != item.link.index
                && !kept.contains(upper.index)
        }.map { upper in
            let request = NetlinkRequest.deleteLink(upper.index, "delete \(upper.name)")
            // One that was stacked on another one went with that.
            return Step(item: item, name: "delete interface \(upper.name) on it", request: request, harmless: [ENODEV])
        }
    }

    /// A name that the host has for another interface makes the move fail.
    private func deleteNames(_ item: Item) -> [Step] {
        let own = Set(item.record.alternativeNames)
        let names = item.link.alternativeNames.filter { !own.contains($0) }
        return NetlinkRequest.deleteAlternativeNames(names, from: item.link.index).map {
            Step(item: item, name: "delete its alternative names", request: $0)
        }
    }

    private func detachXDP(_ item: Item) -> [Step] {
        item.link.xdp.foreign(to: item.record.xdp ?? XDPPrograms()).map { mode in
            Step(
                item: item, name: "detach the XDP program (\(mode))", request: .detachXDP(mode, from: item.link.index),
                program: item.link.xdp[mode])
        }
    }

    private func resetCarrier(_ item: Item) -> [Step] {
        var change = LinkChange()
        let mode = item.record.linkMode ?? 0
        let protoDown = item.record.protoDown ?? ProtoDown()
        if item.link.linkMode != mode { change.linkMode = mode }
        if item.link.protoDown != protoDown { change.protoDown = protoDown }
        if let broadcast = item.record.broadcast, item.link.broadcast != broadcast { change.broadcast = broadcast }
        guard !change.isEmpty else { return [] }
        let request = NetlinkRequest.change(item.link.index, change, "restore its link mode")
        return [Step(item: item, name: "restore its link mode, protodown and broadcast address", request: request)]
    }
}
