// SPDX-License-Identifier: Apache-2.0

import Netlink
import NetworkModel

/// The interfaces of a pod's namespace, of which a pod can have any number, with 64 KiB of names each: of those that are not asked for only
/// the numbers are kept.
struct PodLinks {
    /// The interfaces that were asked for.
    private(set) var links: [Link] = []
    /// Numbers of interfaces, by that of the interface they are stacked on.
    private var uppers: [Int32: [Int32]] = [:]

    private enum Entry {
        case wanted(Link)
        case upper(Int32, on: Int32)
    }

    /// - Parameters:
    ///   - socket: a socket of the namespace.
    ///   - isWanted: which interfaces are kept as a whole.
    init(_ socket: NetlinkSocket, where isWanted: (Link) -> Bool) throws(NetlinkError) {
        let entries = try socket.links { link -> Entry? in
            if isWanted(link) { return .wanted(link) }
            return link.lower.map { .upper(link.index, on: $0) }
        }
        for entry in entries {
            switch entry {
            case .wanted(let link): links.append(link)
            case .upper(let index, let lower): uppers[lower, default: []].append(index)
            }
        }
    }

    /// Numbers of all interfaces that are stacked on one, and of those that are stacked on these, but for the ones that were asked for.
    func uppers(of index: Int32) -> Set<Int32> {
        var found: Set<Int32> = []
        var open = uppers[index] ?? []
        while let next = open.popLast() {
            if found.insert(next).inserted { open += uppers[next] ?? [] }
        }
        return found
    }
}
