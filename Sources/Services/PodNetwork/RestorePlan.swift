// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import Netlink
package import NetworkModel

/// The changes that restore an interface, computed from its record and its present state alone.
extension HostRecord {
    /// Returns the change that restores what differs of the link itself.
    ///
    /// - Parameter settings: its present settings; nil when the kernel did not report them.
    package func change(from link: Link, _ settings: LinkSettings?) -> LinkChange {
        var change = LinkChange()
        if link.mtu != mtu { change.mtu = mtu }
        if link.address != hardwareAddress { change.address = hardwareAddress }
        if (link.alias ?? "") != (alias ?? "") { change.alias = alias ?? "" }
        if let settings, let before = self.settings {
            if settings.txQueueLength != before.txQueueLength { change.txQueueLength = before.txQueueLength }
            if settings.group != before.group { change.group = before.group }
            if settings.flags != before.flags { change.flags = .init(before.flags, mask: settings.flags ^ before.flags) }
            change.sizes = before.sizes.missing(from: settings.sizes)
            change.ipv4 = before.ipv4Missing(from: settings)
        }
        return change
    }

    /// Returns the names that a link gets one after another until it has its own; empty when it has that already.
    ///
    /// Its present name can be the recorded name of another interface in this restore, and the other way round: a temporary name frees
    /// both. Hardware is also identified by its device.
    package func names(for link: Link, temporary: String) -> [String] {
        guard link.name != name else { return [] }
        return link.kind == nil && permanentAddress != nil ? [temporary, name] : [name]
    }

    /// Returns the addresses in the order in which they are set, with the lifetimes that are left; without those that have expired.
    ///
    /// - Parameter seconds: the time since the record was made.
    package func addresses(after seconds: Int, on index: Int32) -> [InterfaceAddress] {
        let left = addresses.compactMap { $0.after(seconds: UInt32(clamping: seconds), on: index) }
        // The kernel lists IPv6 addresses with the newest first.
        return left.filter { !$0.prefix.address.isV6 } + left.filter(\.prefix.address.isV6).reversed()
    }

    /// Returns the routes, leading to an interface of this number; none of an interface that was down.
    package func routes(on index: Int32) -> [Route] {
        guard isUp else { return [] }
        return routes.map { route in
            var route = route
            if route.interface == self.index { route.interface = index }
            return route
        }
    }
}

extension InterfaceAddress {
    /// The address with the lifetimes that are left; nil when it has expired.
    fileprivate func after(seconds: UInt32, on index: Int32) -> InterfaceAddress? {
        var address = self
        address.index = index
        func left(_ lifetime: UInt32?) -> UInt32? { lifetime.map { $0 > seconds ? $0 - seconds : 0 } }
        address.validLifetime = left(validLifetime)
        address.preferredLifetime = left(preferredLifetime)
        return address.validLifetime == 0 ? nil : address
    }
}

extension VirtualFunction {
    /// The requests that restore differing settings.
    package func changes(to before: VirtualFunction, ofParent index: Int32, named parent: String) -> [NetlinkRequest] {
        NetlinkRequest.set(before.settings.changes(from: settings), of: number, ofParent: index, named: parent)
    }
}
