export { NoPage as default } from "@/components/layout/NoPage";
