// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import Netlink
package import NetworkModel

/// The changes that restore an interface, computed only from its record and its present state.
extension HostRecord {
    /// Returns the change that restores differing settings of the link.
    ///
    /// - Parameter settings: its present settings; nil if the kernel did not report them.
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

    /// Returns the sequence of renames that ends with the recorded name; empty if the link has that name.
    ///
    /// Two interfaces in a restore can each have the recorded name of the other; a temporary name frees both names. Hardware is also
    /// identified by its device.
    package func names(for link: Link, temporary: String) -> [String] {
        guard link.name != name else { return [] }
        return link.kind == nil && permanentAddress != nil ? [temporary, name] : [name]
    }

    /// Returns the unexpired addresses with their remaining lifetimes, in the order in which they are set.
    ///
    /// - Parameter seconds: the age of the record.
    package func addresses(after seconds: Int, on index: Int32) -> [InterfaceAddress] {
        let left = addresses.compactMap { $0.after(seconds: UInt32(clamping: seconds), on: index) }
        // The kernel lists IPv6 addresses with the newest first.
        return left.filter { !$0.prefix.address.isV6 } + left.filter(\.prefix.address.isV6).reversed()
    }

    /// Returns the recorded routes with this interface index; empty for an interface that was down.
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
    /// Returns the address with its remaining lifetimes; nil if it has expired.
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
