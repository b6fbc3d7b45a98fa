// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

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

    /// - Parameter links: the interfaces of the namespace, of which those that are stacked on an item are deleted.
    /// - Returns: the first step that failed, by device.
    func clean(_ items: [Item], among links: PodLinks? = nil) -> [String: PodNetworkError] {
        var problems: [String: PodNetworkError] = [:]
        let steps = items.flatMap { item in
            (links.map { deleteUppers(item, $0.uppers(of: item.link.index)) } ?? []) + deleteNames(item) + detachXDP(item)
                + resetCarrier(item)
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

    /// Macvlans, VLANs and the like go on receiving the packets of an interface below them, wherever that moves. The kernel takes some 20 ms to
    /// delete an interface, and no longer for a group of them: a pod can have stacked thousands.
    private func deleteUppers(_ item: Item, _ uppers: Set<Int32>) -> [Step] {
        guard !uppers.isEmpty else { return [] }
        var change = LinkChange()
        // Groups that people use have small numbers (/etc/iproute2/group).
        let group = UInt32.random(in: 1 << 20...UInt32(Int32.max))
        change.group = group
        // An interface that has gone by itself is no failure.
        return uppers.map { upper in
            Step(
                item: item, name: "delete interfaces on it", request: .change(upper, change, "mark interface \(upper)"), harmless: [ENODEV])
        } + [
            Step(
                item: item, name: "delete interfaces on it",
                request: .deleteLinks(ofGroup: group, "delete \(uppers.count) interfaces"), harmless: [ENODEV])
        ]
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
