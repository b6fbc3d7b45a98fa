// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel
import Synchronization

/// The tag of a VLAN: its number, and the protocol (802.1Q or 802.1ad).
struct VLANTag: Hashable, Sendable, CustomStringConvertible {
    var number: UInt16
    /// Of 802.1ad, whose tags service providers use.
    var isService: Bool

    var description: String { "\(number)\(isService ? " (802.1ad)" : "")" }

    /// All there can be: 4095 is reserved.
    static let all = [false, true].flatMap { isService in (0...UInt16(4094)).map { VLANTag(number: $0, isService: isService) } }

    /// ETH_P_8021Q and ETH_P_8021AD (linux/if_ether.h), in the order of the wire.
    fileprivate var wireProtocol: UInt16 { (isService ? 0x88a8 : 0x8100 as UInt16).bigEndian }
}

/// Finds VLANs of any namespace that are stacked on an interface. They outlive its moves, send and receive on it, and the kernel lists them
/// only in the namespace where they are.
///
/// The kernel is asked to make each VLAN, with a larger MTU than the interface has: EEXIST when there is one, otherwise EINVAL
/// (net/8021q/vlan_netlink.c, vlan_newlink: the tag is looked up first). That takes 8190 requests, some 0.1 s for each interface, and so is
/// done by a thread, and only where the kernel has VLANs at all.
final class VLANSearch {
    enum Verdict: Hashable, Sendable {
        case none
        case found([VLANTag])
        /// The search has not ended yet.
        case pending
    }

    private struct Running {
        let indices: Set<Int32>
        /// Nil while the thread is at work; an interface of which the kernel says nothing is not in it.
        let outcome: Outcome
        /// Readable when the thread has ended.
        let end: Descriptor
    }

    private final class Outcome: Sendable {
        let tags = Mutex<[Int32: [VLANTag]]?>(nil)
    }

    private var running: [Running] = []
    /// VLANs that were found on interfaces, by number.
    private var known: [Int32: [VLANTag]] = [:]
    private let probe: UpperProbe

    init(_ probe: UpperProbe) { self.probe = probe }

    /// True when the kernel has loaded VLANs (8021q): a request for one would load them.
    static var isNeeded: Bool { Files.exists("/proc/net/vlan") }

    /// False for what has no VLANs, and for what no VLAN can have a larger MTU than.
    static func canAsk(_ link: Link, mtu: UInt32) -> Bool { link.type == 1 && !link.isLoopback && mtu < UInt32(UInt16.max) }

    /// One for each thread that was at work when this was asked; readable when it has ended.
    var descriptors: [Descriptor] {
        collect()
        return running.map(\.end)
    }

    /// Looks for VLANs on interfaces of the namespace of the calling thread. A verdict but for ``Verdict/pending`` is given once: the next
    /// question begins anew.
    ///
    /// - Parameter waits: true to have no verdict pending.
    func verdicts(_ indices: [Int32], _ socket: NetlinkSocket, waits: Bool) throws(NetlinkError) -> [Verdict] {
        collect()
        let anew = Set(indices).subtracting(known.keys).subtracting(running.flatMap(\.indices))
        if waits {
            for index in anew { known[index] = try Self.tags(VLANTag.all, on: index, probe, socket) }
        } else if !anew.isEmpty {
            do throws(SystemError) { try start(anew) } catch { throw NetlinkError("start a thread that looks for VLANs", error) }
        }
        var verdicts: [Verdict] = []
        for index in indices {
            guard let tags = known[index] else {
                verdicts.append(.pending)
                continue
            }
            // No process can add one to an interface that is out of the pod's hands; those that were found can have gone.
            known[index] = tags.isEmpty ? [] : try Self.tags(tags, on: index, probe, socket)
            if let left = known[index], !left.isEmpty {
                verdicts.append(.found(left))
            } else {
                known[index] = nil
                verdicts.append(.none)
            }
        }
        return verdicts
    }

    private func collect() {
        running.removeAll { search in
            guard let tags = search.outcome.tags.withLock({ $0 }) else { return false }
            for index in search.indices { known[index] = tags[index] }
            return true
        }
    }

    private func start(_ indices: Set<Int32>) throws(SystemError) {
        let (own, its) = try UnixSocket.pair()
        let outcome = Outcome()
        let probe = probe
        try KernelThread.start {
            var found: [Int32: [VLANTag]] = [:]
            if let socket = try? NetlinkSocket() {
                for index in indices.sorted() { found[index] = try? Self.tags(VLANTag.all, on: index, probe, socket) }
            }
            outcome.tags.withLock { $0 = found }
            withExtendedLifetime(its) {}
        }
        running.append(Running(indices: indices, outcome: outcome, end: own))
    }

    /// Returns the tags that are taken on the interface.
    private static func tags(
        _ tags: [VLANTag], on index: Int32, _ probe: UpperProbe, _ socket: NetlinkSocket
    ) throws(NetlinkError) -> [VLANTag] {
        let requests = tags.map { probe.vlanRequest($0.number, $0.wireProtocol, on: index) }
        return try socket.execute(all: requests).filter { $0.error.code == EEXIST }.map { tags[$0.index] }
    }
}
