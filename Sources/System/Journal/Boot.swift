// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux

/// The run of the kernel this program is in.
package enum Boot {
    /// Empty where the kernel does not tell: then states of all runs are taken.
    package static let current: String =
        (try? Files.readText("/proc/sys/kernel/random/boot_id"))?.split(separator: "\n").first.map(String.init) ?? ""
}

extension ClaimState {
    /// A state of this run of the kernel.
    package init(claim: ClaimIdentity, attachments: [Attachment]) {
        self.init(claim: claim, boot: Boot.current, attachments: attachments)
    }
}
