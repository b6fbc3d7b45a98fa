// SPDX-License-Identifier: Apache-2.0
// SwiftPM requires a source file in each C target; all code is in the header.
