// SPDX-License-Identifier: Apache-2.0

/// The release that this program belongs to.
enum Release {
    /// The heading of CHANGELOG.md that describes this release.
    static let version = "unreleased"
}
