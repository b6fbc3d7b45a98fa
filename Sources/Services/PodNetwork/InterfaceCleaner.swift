// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import Netlink
import NetworkModel

/// Removes settings, programs and upper interfaces that a pod can leave on an interface and that survive a move between namespaces. Works
/// in the calling thread's namespace.
///
/// Everything in the host's record stays. Queueing disciplines, filters, packet sockets, addresses, routes, multicast addresses and
/// nftables rules are not handled: the kernel removes them with every move.
struct InterfaceCleaner {
    /// A socket of the same namespace.
    let socket: NetlinkSocket

    /// An interface to clean.
    struct Item {
        var device: String
        var record: HostRecord
        var link: Link
    }

    /// - Parameter links: the interfaces of the namespace; those stacked on an item are deleted.
    /// - Returns: the first failed step, by device.
    func clean(_ items: [Item], among links: PodLinks? = nil) -> [String: PodNetworkError] {
        var problems = DeviceProblems()
        let steps = items.flatMap { item in
            (links.map { deleteUppers(item, $0.uppers(of: item.link.index)) } ?? []) + deleteNames(item) + detachXDP(item)
                + resetCarrier(item)
        }
        do throws(PodNetworkError) {
            for failure in try socket.execute(steps) {
                if let error = detachByLink(failure, items) { problems.add(error, to: failure.step.device) }
            }
        } catch { for item in items { problems.add(error, to: item.device) } }
        for item in items {
            do throws(SystemError) {
                try InterfaceHooks.detachAll(from: item.link.index, except: item.record.hookPrograms ?? [])
            } catch { problems.add(PodNetworkError(.refused, item.record.name, "detach programs (TCX)", error), to: item.device) }
        }
        return problems.byDevice
    }

    /// Detaches an XDP program that is attached by a BPF link. Returns the remaining error.
    private func detachByLink(_ failure: Step.Failure, _ items: [Item]) -> PodNetworkError? {
        guard let program = failure.step.program, failure.code == EBUSY,
            let item = items.first(where: { $0.device == failure.step.device })
        else { return failure.error }
        do throws(SystemError) {
            try InterfaceHooks.detachXDPLinks(of: program, from: item.link.index)
            return nil
        } catch { return PodNetworkError(.refused, failure.step.object, failure.step.name, error) }
    }

    // MARK: Steps

    private func step(_ item: Item, _ name: String, _ request: NetlinkRequest, harmless: [Int32] = []) -> Step {
        Step(device: item.device, object: item.record.name, name: name, request: request, harmless: harmless)
    }

    /// Macvlans, VLANs and other upper interfaces receive the packets of the lower interface in every namespace. The kernel needs some 20
    /// ms to delete an interface, and the same time for a group: a pod can have stacked thousands.
    private func deleteUppers(_ item: Item, _ uppers: Set<Int32>) -> [Step] {
        guard !uppers.isEmpty else { return [] }
        var change = LinkChange()
        // Configured groups have small numbers (/etc/iproute2/group).
        let group = UInt32.random(in: 1 << 20...UInt32(Int32.max))
        change.group = group
        // An interface may have ended by itself.
        let marks = uppers.map { upper in
            step(item, "delete upper interfaces", .change(upper, change, "mark interface \(upper)"), harmless: [ENODEV])
        }
        let deletion = NetlinkRequest.deleteLinks(ofGroup: group, "delete \(uppers.count) interfaces")
        return marks + [step(item, "delete upper interfaces", deletion, harmless: [ENODEV])]
    }

    /// A move fails if another interface of the host has one of the names.
    private func deleteNames(_ item: Item) -> [Step] {
        let own = Set(item.record.alternativeNames)
        let names = item.link.alternativeNames.filter { !own.contains($0) }
        return NetlinkRequest.deleteAlternativeNames(names, from: item.link.index).map { step(item, "delete alternative names", $0) }
    }

    private func detachXDP(_ item: Item) -> [Step] {
        item.link.xdp.foreign(to: item.record.xdp ?? XDPPrograms()).map { mode in
            var detach = step(item, "detach the XDP program (\(mode))", .detachXDP(mode, from: item.link.index))
            detach.program = item.link.xdp[mode]
            return detach
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
        let request = NetlinkRequest.change(item.link.index, change, "restore the link mode")
        return [step(item, "restore link mode, protodown and broadcast address", request)]
    }
}
