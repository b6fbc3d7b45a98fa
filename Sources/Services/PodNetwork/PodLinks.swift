// SPDX-License-Identifier: Apache-2.0

import Netlink
import NetworkModel

/// The interfaces of a pod's namespace. A pod can create any number of them, with up to 64 KiB of names each, so that only numbers are
/// kept of the others.
struct PodLinks {
    /// The wanted interfaces.
    private(set) var links: [Link] = []
    /// Numbers of interfaces, keyed by the interface below them.
    private var uppers: [Int32: [Int32]] = [:]

    private enum Entry {
        case wanted(Link)
        case upper(Int32, on: Int32)
    }

    /// - Parameters:
    ///   - socket: a socket of the namespace.
    ///   - isWanted: selects the interfaces to keep with all properties.
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

    /// Numbers of all interfaces stacked on an interface, directly or indirectly, without the wanted ones.
    func uppers(of index: Int32) -> Set<Int32> {
        var found: Set<Int32> = []
        var open = uppers[index] ?? []
        while let next = open.popLast() {
            if found.insert(next).inserted { open += uppers[next] ?? [] }
        }
        return found
    }
}
