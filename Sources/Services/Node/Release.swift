// SPDX-License-Identifier: Apache-2.0

/// The release of this program.
enum Release {
    /// The heading of CHANGELOG.md that describes this release.
    static let version = "unreleased"
}
