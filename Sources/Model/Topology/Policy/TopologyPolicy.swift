// SPDX-License-Identifier: Apache-2.0

import Hardware

/// What an operator knows of machines that no bus tells: which NICs are for what, and what is behind which
/// switch. Nothing of it is needed on machines whose hierarchy is visible.
package struct TopologyPolicy: Hashable, Sendable {
    /// A hint for the machines whose product name matches a pattern.
    package struct MachineHint: Hashable, Sendable {
        /// `*` for every machine; otherwise as ``Selector`` has its patterns.
        package var machine: String
        package var hint: Hint

        package init(machine: String, hint: Hint) {
            self.machine = machine
            self.hint = hint
        }
    }

    /// NICs by role. When any NIC is named for the fabric, the fabric is exactly those.
    package var roles: [Role: [Selector]]
    /// The first that matches counts.
    package var hints: [MachineHint]

    package init(roles: [Role: [Selector]] = [:], hints: [MachineHint] = []) {
        self.roles = roles
        self.hints = hints
    }

    func hint(for machine: Machine) -> Hint? {
        hints.first { Glob.matches($0.machine, machine.name ?? "") }?.hint
    }

    /// The role a selector gives a device, and that selector.
    func role(of device: Device) -> (Role, Selector)? {
        for role in [Role.fabric, .storage, .management] {
            if let selector = roles[role]?.first(where: { $0.matches(device) }) { return (role, selector) }
        }
        return nil
    }
}
