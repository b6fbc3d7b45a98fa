// SPDX-License-Identifier: Apache-2.0

import Hardware

/// An operator's configuration for machines: roles of NICs, and the switches above devices. Machines with a visible hierarchy need none.
package struct TopologyPolicy: Hashable, Sendable {
    /// A hint for machines whose product name matches a pattern.
    package struct MachineHint: Hashable, Sendable {
        /// Pattern of product names with the wildcards of ``Selector``; `*` for every machine.
        package var machine: String
        package var hint: Hint

        package init(machine: String, hint: Hint) {
            self.machine = machine
            self.hint = hint
        }
    }

    /// Selectors of NICs by role. If a selector exists for the fabric, the fabric consists only of the NICs that one of them selects.
    package var roles: [Role: [Selector]]
    /// Hints, of which the first match is used.
    package var hints: [MachineHint]

    package init(roles: [Role: [Selector]] = [:], hints: [MachineHint] = []) {
        self.roles = roles
        self.hints = hints
    }

    func hint(for machine: Machine) -> Hint? {
        hints.first { Glob.matches($0.machine, machine.name ?? "") }?.hint
    }

    /// Returns the role that a selector gives to a device, and that selector.
    func role(of device: Device) -> (Role, Selector)? {
        for role in [Role.fabric, .storage, .management] {
            if let selector = roles[role]?.first(where: { $0.matches(device) }) { return (role, selector) }
        }
        return nil
    }
}
