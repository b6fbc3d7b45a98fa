// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux

/// The identity of the present boot.
package enum Boot {
    /// Empty if the kernel does not report the boot id; then states of all boots are accepted.
    package static let current: String =
        (try? Files.readText("/proc/sys/kernel/random/boot_id"))?.split(separator: "\n").first.map(String.init) ?? ""
}

extension ClaimState {
    /// Makes a state of this boot.
    package init(claim: ClaimIdentity, attachments: [Attachment]) {
        self.init(claim: claim, boot: Boot.current, attachments: attachments)
    }
}
