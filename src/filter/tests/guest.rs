//! Components written by hand, in the text format: one that behaves, with places for what misbehaves.
//!
//! Not what an author would write, and no compiler stands between a test and the engine. The guest keeps
//! its memory in a module of its own (so that `log` can be lowered), hands out room from a mark on, and
//! sets the mark back after each call: what it answers cannot depend on earlier events.

/// The parts of a component that a test replaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest<'a> {
    /// Imports of the component, beside the contract's.
    pub(super) imports: &'a str,
    /// Exports of the component, beside the contract's.
    pub(super) exports: &'a str,
    /// Definitions in the main module: data, functions, a start function.
    pub(super) definitions: &'a str,
    /// The limits of the memory, in pages.
    pub(super) memory: &'a str,
    /// The body of `describe`; gives the place of an `about`.
    pub(super) describe: &'a str,
    /// The body of `configure`, which sees `$ptr` and `$len`; gives the place of a result.
    pub(super) configure: &'a str,
    /// The body of `evaluate`, which sees `$payload` and `$payload_len`; gives the place of a verdict.
    pub(super) evaluate: &'a str,
}

/// Passes every event, whatever its configuration.
pub(super) const PASSING: Guest<'static> = Guest {
    imports: "",
    exports: "",
    definitions: "",
    memory: "2",
    describe: "(call $about (i32.const 1024) (i32.const 4) (i32.const 1028) (i32.const 5) (i32.const 0) (i32.const 0))",
    configure: "(i32.store (i32.const 64) (i32.const 0)) (i32.const 64)",
    evaluate: "(i32.store (i32.const 128) (i32.const 0)) (i32.const 128)",
};

/// Gives the payload back as it is.
pub(super) const ECHO: &str = "(call $answer (i32.const 2) (local.get $payload) (local.get $payload_len))";

impl Guest<'_> {
    /// Makes the component.
    pub(super) fn bytes(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap_or_else(|problem| panic!("{problem}\n{}", self.text()))
    }

    fn text(&self) -> String {
        TEMPLATE
            .replace(";;imports", self.imports)
            .replace(";;exports", self.exports)
            .replace(";;definitions", self.definitions)
            .replace(";;memory", self.memory)
            .replace(";;describe", self.describe)
            .replace(";;configure", self.configure)
            .replace(";;evaluate", self.evaluate)
    }
}

/// Places in memory: results below 1024, texts of the test at 1024, room for what comes in from 65536 on.
const TEMPLATE: &str = r#"
(component
  (type $shapes (instance
    (type $e (record (field "id" string) (field "type" string) (field "version" u32) (field "occurred-at-ms" s64)
      (field "account" string) (field "payload" string) (field "attributes" (list (tuple string string)))))
    (export "event" (type (eq $e)))
    (type $v (variant (case "pass") (case "drop" string) (case "rewrite" string)))
    (export "verdict" (type (eq $v)))
    (type $a (record (field "name" string) (field "version" string) (field "config-schema" string)))
    (export "about" (type (eq $a)))))
  (import "hooklog:filter/types@1.0.0" (instance $types (type $shapes)))
  (alias export $types "event" (type $event))
  (alias export $types "verdict" (type $verdict))
  (alias export $types "about" (type $about))
  (import "hooklog:filter/logging@1.0.0" (instance $logging (export "log" (func (param "text" string)))))
  ;;imports

  (core module $room
    (memory (export "memory") ;;memory)
    (global $mark (export "mark") (mut i32) (i32.const 65536))
    (func (export "realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $mark) (i32.const 7)) (i32.const -8)))
      (global.set $mark (i32.add (local.get $at) (local.get $len)))
      (block $enough (loop $more
        (br_if $enough (i32.le_u (global.get $mark) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (br $more)))
      (local.get $at)))
  (core instance $room (instantiate $room))
  (core func $log (canon lower (func $logging "log") (memory $room "memory")))

  (core module $main
    (import "room" "memory" (memory ;;memory))
    (import "room" "mark" (global $mark (mut i32)))
    (import "host" "log" (func $log (param i32 i32)))
    (data (i32.const 1024) "name1.0.0")
    ;;definitions
    (func $answer (param $case i32) (param $ptr i32) (param $len i32) (result i32)
      (i32.store (i32.const 128) (local.get $case))
      (i32.store (i32.const 132) (local.get $ptr))
      (i32.store (i32.const 136) (local.get $len))
      (i32.const 128))
    (func $about (param i32 i32 i32 i32 i32 i32) (result i32)
      (i32.store (i32.const 256) (local.get 0)) (i32.store (i32.const 260) (local.get 1))
      (i32.store (i32.const 264) (local.get 2)) (i32.store (i32.const 268) (local.get 3))
      (i32.store (i32.const 272) (local.get 4)) (i32.store (i32.const 276) (local.get 5))
      (i32.const 256))
    (func (export "describe") (result i32) ;;describe)
    (func (export "configure") (param $ptr i32) (param $len i32) (result i32) ;;configure)
    (func (export "evaluate") (param $id i32) (param $id_len i32) (param $type i32) (param $type_len i32)
      (param $version i32) (param $at i64) (param $account i32) (param $account_len i32) (param $payload i32)
      (param $payload_len i32) (param $attributes i32) (param $attributes_len i32) (result i32) ;;evaluate)
    (func (export "done") (param i32) (global.set $mark (i32.const 65536))))
  (core instance $main (instantiate $main
    (with "room" (instance $room))
    (with "host" (instance (export "log" (func $log))))))

  (func (export "describe") (result $about)
    (canon lift (core func $main "describe") (memory $room "memory")))
  (func (export "configure") (param "config" string) (result (result (error string)))
    (canon lift (core func $main "configure") (memory $room "memory") (realloc (func $room "realloc"))
      (post-return (func $main "done"))))
  (func (export "evaluate") (param "event" $event) (result $verdict)
    (canon lift (core func $main "evaluate") (memory $room "memory") (realloc (func $room "realloc"))
      (post-return (func $main "done"))))
  ;;exports
)
"#;
