// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension QueueingDiscipline {
    /// Nil for the kernel's own choice.
    package init?(_ message: Message) {
        guard let (_, found) = Self.read(message) else { return nil }
        self = found
    }

    static func read(_ message: Message) -> (index: Int32, QueueingDiscipline)? {
        var reader = ByteReader(message.payload)
        guard reader.skip(4), let index = reader.integer(Int32.self), let handle = reader.integer(UInt32.self), handle != 0,
            let parent = reader.integer(UInt32.self), reader.skip(4), let rest = reader.take(reader.remaining),
            let attributes = Attribute.list(rest), let kind = attributes[type: TCA_KIND]?.text
        else { return nil }
        let options = attributes[type: TCA_OPTIONS].map { [UInt8]($0.value) }
        return (index, QueueingDiscipline(kind: kind, handle: handle, parent: parent, options: options))
    }

    /// struct tcmsg and attributes.
    package func payload(index: Int32) -> [UInt8] {
        var builder = Self.header(index: index, handle: handle, parent: parent)
        builder.attribute(TCA_KIND, text: kind)
        if let options { builder.attribute(TCA_OPTIONS, options) }
        return builder.body
    }

    /// struct tcmsg: family, padding, interface, handle, parent, information.
    static func header(index: Int32, handle: UInt32 = 0, parent: UInt32) -> MessageBuilder {
        var builder = MessageBuilder([0, 0, 0, 0])
        builder.integer(index)
        builder.integer(handle)
        builder.integer(parent)
        builder.integer(UInt32(0))
        return builder
    }
}

extension NetlinkSocket {
    /// The configured queueing disciplines of these interfaces. A dump of the whole namespace follows only if an interface has one,
    /// because a NIC has one for each of its queues.
    package func queueingDisciplines(of indices: [Int32]) throws(NetlinkError) -> [Int32: [QueueingDiscipline]] {
        let requests = indices.flatMap { index in
            [QueueingDiscipline.root, QueueingDiscipline.hooks].map { parent in
                // Older kernels answer the sender only with NLM_F_ECHO.
                NetlinkRequest(
                    "read the queueing discipline", type: RTM_GETQDISC, flags: NLM_F_ECHO,
                    payload: QueueingDiscipline.header(index: index, parent: parent).body)
            }
        }
        // EINVAL: the interface is down and has no discipline yet.
        var found = try get(all: requests, absent: [ENOENT, EINVAL, ENODEV]).compactMap { $0.flatMap(QueueingDiscipline.read) }
        if found.contains(where: { $0.1.parent == QueueingDiscipline.root }) {
            found = try dump("list queueing disciplines", type: RTM_GETQDISC, payload: QueueingDiscipline.header(index: 0, parent: 0).body)
                .compactMap(QueueingDiscipline.read).filter { indices.contains($0.index) }
        }
        return Dictionary(grouping: found, by: \.index).mapValues { QueueingDiscipline.ordered($0.map(\.1)) }
    }
}

extension NetlinkRequest {
    /// `tc qdisc replace dev INDEX ...`
    package static func set(_ discipline: QueueingDiscipline, of index: Int32) -> NetlinkRequest {
        NetlinkRequest(
            "restore queueing discipline \(discipline.kind)", type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE,
            payload: discipline.payload(index: index))
    }
}
